/*
 * The least that copying a file can cost: blocks reserved in one go, the source mapped, written from there.
 *
 *     copy SOURCE TARGET THREADS
 *
 * Prints the seconds it took. TARGET must not exist.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 8 << 20, THREADS_MAX = 8 };

static int source, target;
static off_t size;
static int threads;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void *copy_part(void *index) {
  off_t windows = (size + WINDOW - 1) / WINDOW;
  off_t part = (long)index;
  off_t offset = windows * part / threads * WINDOW;
  off_t end = windows * (part + 1) / threads * WINDOW;
  if (end > size) end = size;
  for (; offset < end; offset += WINDOW) {
    size_t length = end - offset < WINDOW ? (size_t)(end - offset) : WINDOW;
    char *window = mmap(NULL, length, PROT_READ, MAP_SHARED | MAP_POPULATE, source, offset);
    if (window == MAP_FAILED) fail("mmap");
    for (size_t done = 0; done < length;) {
      ssize_t count = pwrite(target, window + done, length - done, offset + done);
      if (count <= 0) fail("pwrite");
      done += count;
    }
    munmap(window, length);
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  threads = atoi(argv[3]);
  if (threads < 1 || threads > THREADS_MAX) return 2;
  double start = now();
  source = open(argv[1], O_RDONLY);
  target = open(argv[2], O_RDWR | O_CREAT | O_EXCL, 0644);
  struct stat stat;
  if (source < 0 || target < 0 || fstat(source, &stat) < 0) fail("open");
  size = stat.st_size;
  fallocate(target, FALLOC_FL_KEEP_SIZE, 0, size);
  pthread_t thread[THREADS_MAX];
  for (long i = 0; i < threads; i++) pthread_create(&thread[i], NULL, copy_part, (void *)i);
  for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
  if (close(target) < 0) fail("close");
  printf("%.4f\n", now() - start);
  return 0;
}
