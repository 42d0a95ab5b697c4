/* First instruction of the entry stub, arm64. In: sp = the kernel's block, x0 = the loader's exit function. */
        .section .text.start, "ax"
        .globl  stub_start
stub_start:
        mov     x19, x0
        mov     x20, sp
        mov     x0, x20
        bl      stub_block_size
        sub     x21, x20, x0
        and     x21, x21, #-16
        mov     sp, x21
        mov     x0, x20
        mov     x1, x21
        adr     x2, stub_start
        bl      stub_fill
        mov     x16, x0
        mov     x0, x19
        mov     sp, x21
        mov     x29, xzr
        mov     x30, xzr
        br      x16

        .section .note.GNU-stack, "", %progbits
