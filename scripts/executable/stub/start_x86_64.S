/* First instruction of the entry stub, x86-64. In: rsp = the kernel's block, rdx = the loader's exit function. */
        .section .text.start, "ax"
        .globl  stub_start
stub_start:
        movq    %rdx, %r12
        movq    %rsp, %rbx
        movq    %rbx, %rdi
        andq    $-16, %rsp
        call    stub_block_size
        subq    %rax, %rsp
        andq    $-16, %rsp
        movq    %rsp, %r13
        movq    %rbx, %rdi
        movq    %r13, %rsi
        leaq    stub_start(%rip), %rdx
        call    stub_fill
        movq    %r13, %rsp
        movq    %r12, %rdx
        xorl    %ebp, %ebp
        jmpq    *%rax

        .section .note.GNU-stack, "", @progbits
