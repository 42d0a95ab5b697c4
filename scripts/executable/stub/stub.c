/*
 * Entry stub of the single-file executable (docs/executable.md).
 *
 * The packed file is a copy of the Deno runtime with this code as its ELF entry point and the program's bundle
 * behind it. When the dynamic loader is done it jumps here instead of to the runtime's own entry. The stub
 * copies the bundle into a memory file and hands the runtime an argument list that runs it:
 *
 *     argv[0] <runtime arguments> /proc/self/fd/N argv[1] argv[2] …
 *
 * Then it goes on at the original entry as if nothing had happened. Freestanding and position independent: no
 * libc, no relocations, no writable data.
 *
 * The block handed to a program's entry point (System V ABI): argc, argv…, NULL, envp…, NULL, auxv pairs…,
 * {0, 0}. The C library reads it from the stack pointer, so the new block must lie on the stack too; start_*.S makes room for it.
 */

typedef unsigned long word;

/* Written behind the code by the packer (elf_pack.ts); `strings` holds NUL-terminated texts. */
struct config {
  word entry_distance; /* original entry point minus address of the stub, modulo 2^64 */
  word bundle_offset;  /* in the executable file */
  word bundle_size;
  word argument_count; /* runtime arguments in `strings` */
  char strings[];
};

extern const struct config config __attribute__((visibility("hidden")));

#if defined(__x86_64__)
enum { SYS_close = 3, SYS_write = 1, SYS_rt_sigaction = 13, SYS_sendfile = 40, SYS_fcntl = 72,
       SYS_getcwd = 79, SYS_exit_group = 231, SYS_openat = 257, SYS_prlimit64 = 302,
       SYS_memfd_create = 319 };

static inline long call(long number, long a, long b, long c, long d) {
  long result;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
enum { SYS_getcwd = 17, SYS_fcntl = 25, SYS_openat = 56, SYS_close = 57, SYS_write = 64,
       SYS_sendfile = 71, SYS_exit_group = 94, SYS_rt_sigaction = 134, SYS_prlimit64 = 261,
       SYS_memfd_create = 279 };

static inline long call(long number, long a, long b, long c, long d) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
#else
#error "no entry stub for this processor"
#endif

enum { AT_FDCWD = -100, O_CLOEXEC = 02000000, MFD_CLOEXEC = 1, F_DUPFD_CLOEXEC = 1030, EINTR = 4 };
enum { FIRST_FREE_FD = 3, CANNOT_EXECUTE = 126, PATH_SIZE = 40 };
enum { RLIMIT_FSIZE = 1, RLIMIT_AS = 9, SIGXFSZ = 25, ENOENT = 2, PATH_MAX = 4096 };

/* The runtime reserves this much address space, not memory, and aborts with a trace where it cannot. */
static const word ADDRESS_SPACE_MIN = 33ul << 30;

/* struct rlimit */
struct limit {
  word soft;
  word hard;
};

/* struct sigaction of the kernel */
struct action {
  word handler;
  word flags;
  word restorer;
  word mask;
};

static void __attribute__((noreturn)) fail(const char *message, word size) {
  call(SYS_write, 2, (long)message, (long)size, 0);
  for (;;) call(SYS_exit_group, CANNOT_EXECUTE, 0, 0, 0);
}

#define FAIL(text) fail("pbkfs error: " text "\n", sizeof("pbkfs error: " text "\n") - 1)

/* Number of words up to and including the terminating zero word. */
static word list_words(const word *list) {
  word count = 0;
  while (list[count] != 0) count++;
  return count + 1;
}

static word auxv_words(const word *auxv) {
  word count = 0;
  while (auxv[count] != 0) count += 2;
  return count + 2;
}

static const char *next_string(const char *text) {
  while (*text != 0) text++;
  return text + 1;
}

static void get_limit(int resource, struct limit *limit) {
  if (call(SYS_prlimit64, 0, resource, 0, (long)limit) != 0) limit->soft = limit->hard = ~0ul;
}

static void set_soft_limit(int resource, word soft, word hard) {
  struct limit limit = {soft, hard};
  call(SYS_prlimit64, 0, resource, (long)&limit, 0);
}

/* What the runtime would answer with a trace of its own. */
static void check_surroundings(void) {
  struct limit space;
  get_limit(RLIMIT_AS, &space);
  if (space.soft < ADDRESS_SPACE_MIN) {
    if (space.hard < ADDRESS_SPACE_MIN)
      FAIL("the limit of address space (ulimit -v) is too low: the program reserves 33 GiB, of which "
           "it uses little; limit memory by a control group instead");
    set_soft_limit(RLIMIT_AS, space.hard, space.hard);
  }
  char path[PATH_MAX];
  long size = call(SYS_getcwd, (long)path, PATH_MAX, 0, 0);
  /* That of a detached mount is "(unreachable)/...". */
  if (size == -ENOENT || (size > 0 && path[0] != '/'))
    FAIL("the working directory does not exist any more: change to another one, for example cd /");
}

/* A descriptor of the bundle in memory, closed on exec: children must not inherit it. */
static long load_bundle(void) {
  /* A file that gets longer than the limit is an error to report, no reason to be killed. */
  struct action ignore = {1, 0, 0, 0};
  call(SYS_rt_sigaction, SIGXFSZ, (long)&ignore, 0, sizeof(ignore.mask));
  /* The limit is meant for files of the user: files in memory count, too. */
  struct limit file_size;
  get_limit(RLIMIT_FSIZE, &file_size);
  if (file_size.hard < config.bundle_size)
    FAIL("the limit of file sizes (ulimit -f) is too low: the program itself needs 4 MiB");
  if (file_size.soft != file_size.hard) set_soft_limit(RLIMIT_FSIZE, file_size.hard, file_size.hard);
  long made = call(SYS_memfd_create, (long)"pbkfs.js", MFD_CLOEXEC, 0, 0);
  if (made < 0) FAIL("cannot create a memory file");
  /* With stdin closed the new descriptor would take its place. */
  long bundle = made;
  if (made < FIRST_FREE_FD) {
    bundle = call(SYS_fcntl, made, F_DUPFD_CLOEXEC, FIRST_FREE_FD, 0);
    if (bundle < 0) FAIL("cannot duplicate a descriptor");
    call(SYS_close, made, 0, 0, 0);
  }
  long self = call(SYS_openat, AT_FDCWD, (long)"/proc/self/exe", O_CLOEXEC, 0);
  if (self < 0) FAIL("cannot open /proc/self/exe: is /proc mounted?");
  word offset = config.bundle_offset;
  word left = config.bundle_size;
  while (left > 0) {
    long sent = call(SYS_sendfile, bundle, self, (long)&offset, (long)left);
    if (sent == -EINTR) continue;
    if (sent <= 0) FAIL("cannot load the program: the file is cut off or memory is short");
    left -= (word)sent;
  }
  call(SYS_close, self, 0, 0, 0);
  if (file_size.soft != file_size.hard) set_soft_limit(RLIMIT_FSIZE, file_size.soft, file_size.hard);
  return bundle;
}

static void format_path(char *path, long descriptor) {
  const char *prefix = "/proc/self/fd/";
  while (*prefix != 0) *path++ = *prefix++;
  long divisor = 1;
  while (descriptor / divisor >= 10) divisor *= 10;
  for (; divisor > 0; divisor /= 10) *path++ = (char)('0' + descriptor / divisor % 10);
  *path = 0;
}

/* Bytes the new block needs. */
__attribute__((used, visibility("hidden"))) word stub_block_size(const word *old) {
  const word *environment = old + 1 + old[0] + 1;
  word environment_words = list_words(environment);
  word words = 1 + 1 + config.argument_count + 1 + old[0] + 1 + environment_words +
               auxv_words(environment + environment_words);
  return words * sizeof(word) + PATH_SIZE;
}

/* Fills `block`, which has that many bytes, and returns the address to continue at. */
__attribute__((used, visibility("hidden"))) word stub_fill(const word *old, word *block, word start) {
  check_surroundings();
  word argument_count = old[0];
  const word *arguments = old + 1;
  const word *environment = arguments + argument_count + 1;
  word environment_words = list_words(environment);
  const word *auxv = environment + environment_words;

  word *out = block + 1;
  word script_index;
  *out++ = argument_count > 0 ? arguments[0] : (word) "pbkfs";
  const char *text = config.strings;
  for (word i = 0; i < config.argument_count; i++, text = next_string(text)) *out++ = (word)text;
  script_index = (word)(out - block);
  out++;
  for (word i = 1; i < argument_count; i++) *out++ = arguments[i];
  block[0] = (word)(out - block) - 1;
  *out++ = 0;
  for (word i = 0; i < environment_words; i++) *out++ = environment[i];
  for (word left = auxv_words(auxv); left > 0; left--) *out++ = *auxv++;

  block[script_index] = (word)out;
  format_path((char *)out, load_bundle());
  return start + config.entry_distance;
}
