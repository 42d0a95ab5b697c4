/*
 * A file system that does as little as one can: every name but those that begin with "f" or "l" is a directory, and every file
 * has the bytes of one host file from an odd offset on, as a file in an archive has. Several threads serve it.
 *
 *     mount HOST_FILE DIRECTORY
 *
 * Stays in the foreground until it is unmounted.
 */
#define FUSE_USE_VERSION 312
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOREVER = 86400, OFFSET = 137, READ_MAX = 1 << 20 };

static int host;
static off_t size;
static unsigned long last_inode = 1;

/* Files have odd inode numbers but the root. */
static void set_attributes(struct stat *stat, fuse_ino_t inode) {
  int is_file = inode != FUSE_ROOT_ID && inode % 2 == 1;
  memset(stat, 0, sizeof *stat);
  stat->st_ino = inode;
  stat->st_mode = is_file ? S_IFREG | 0644 : S_IFDIR | 0755;
  stat->st_nlink = 1;
  stat->st_size = is_file ? size : 0;
}

static void lookup(fuse_req_t request, fuse_ino_t parent, const char *name) {
  struct fuse_entry_param entry;
  (void)parent;
  memset(&entry, 0, sizeof entry);
  entry.ino = __sync_add_and_fetch(&last_inode, 1) * 2 + (name[0] == 'f' || name[0] == 'l');
  entry.attr_timeout = entry.entry_timeout = FOREVER;
  set_attributes(&entry.attr, entry.ino);
  fuse_reply_entry(request, &entry);
}

static void getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file) {
  struct stat stat;
  (void)file;
  set_attributes(&stat, inode);
  fuse_reply_attr(request, &stat, FOREVER);
}

static void open_file(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file) {
  (void)inode;
  file->keep_cache = 1;
  fuse_reply_open(request, file);
}

static void read_file(fuse_req_t request, fuse_ino_t inode, size_t length, off_t offset,
                      struct fuse_file_info *file) {
  static __thread char *buffer;
  (void)inode;
  (void)file;
  if (buffer == NULL) buffer = aligned_alloc(4096, READ_MAX);
  ssize_t count = pread(host, buffer, length < READ_MAX ? length : READ_MAX, offset + OFFSET);
  fuse_reply_buf(request, buffer, count < 0 ? 0 : count);
}

static void forget(fuse_req_t request, fuse_ino_t inode, uint64_t count) {
  (void)inode;
  (void)count;
  fuse_reply_none(request);
}

int main(int argc, char **argv) {
  struct fuse_lowlevel_ops operations = {
      .lookup = lookup, .getattr = getattr, .open = open_file, .read = read_file, .forget = forget};
  char *words[] = {argv[0], "-oallow_other,default_permissions", NULL};
  struct fuse_args arguments = FUSE_ARGS_INIT(2, words);
  struct stat stat;
  if (argc != 3) return 2;
  host = open(argv[1], O_RDONLY);
  if (host < 0 || fstat(host, &stat) < 0) return 1;
  size = stat.st_size - OFFSET;
  struct fuse_session *session = fuse_session_new(&arguments, &operations, sizeof operations, NULL);
  if (session == NULL || fuse_session_mount(session, argv[2]) != 0) return 1;
  fuse_session_loop_mt(session, fuse_loop_cfg_create());
  fuse_session_unmount(session);
  return 0;
}
