// One client of a shared GPU: runs short kernels in a loop, does one thing at one moment, and says what it sees.
//
//   fault_client ACTION AT_S FOR_S LINGER_S
//
// ACTION at AT_S after its first kernel: none, oom (asks for more than is free, goes on), grab (takes all there is),
// big (asks for 4 GiB), illegal (writes to an address that nobody owns), assert, trap, long (a kernel of 3 s),
// exit (leaves by _exit), drain (on SIGTERM finishes its kernels and leaves), rest (launches
// nothing more). It ends after FOR_S, or LINGER_S after the first error of the loop.
// Each line on stdout is a JSON object with `t`, seconds of CLOCK_MONOTONIC; "tick" lines count finished kernels.
#include <cassert>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <unistd.h>
#include <vector>

#include <cuda_runtime.h>

static double now_s() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void say(const char* event, cudaError_t error, double value) {
  printf("{\"t\": %.6f, \"event\": \"%s\", \"error\": \"%s\", \"value\": %.6f}\n", now_s(), event,
         error == cudaSuccess ? "" : cudaGetErrorName(error), value);
  fflush(stdout);
}

__global__ void work(float* out, int turns) {
  float x = threadIdx.x;
  for (int i = 0; i < turns; ++i) x = fmaf(x, 0.999f, 0.5f);
  out[(size_t)blockIdx.x * blockDim.x + threadIdx.x] = x;
}

__global__ void wait_cycles(long long cycles) {
  for (long long start = clock64(); clock64() - start < cycles;) {}
}

__global__ void write_to(int* address) { *address = 1; }
__global__ void assert_never(int value) { assert(value < 0); }
__global__ void trap() { asm("trap;"); }

static const size_t MIB = 1u << 20;

static void grab() {
  size_t taken = 0;
  void* held;
  while (cudaMalloc(&held, 256 * MIB) == cudaSuccess) taken += 256;
  say("grabbed_mib", cudaGetLastError(), (double)taken);
}

static void act(const char* action) {
  say("act", cudaSuccess, 0);
  size_t free = 0, total = 0;
  void* held = nullptr;
  cudaError_t error = cudaSuccess;
  if (!strcmp(action, "oom")) {
    cudaMemGetInfo(&free, &total);
    say("free_mib", cudaSuccess, free / (double)MIB);
    error = cudaMalloc(&held, free + 1024 * MIB);
    say("asked_mib", error, (free + 1024 * MIB) / (double)MIB);
    cudaGetLastError();
  } else if (!strcmp(action, "big")) {
    cudaMemGetInfo(&free, &total);
    say("free_mib", cudaSuccess, free / (double)MIB);
    error = cudaMalloc(&held, 4096 * MIB);
    say("asked_mib", error, 4096);
    cudaGetLastError();
  } else if (!strcmp(action, "grab")) {
    grab();
  } else if (!strcmp(action, "illegal")) {
    write_to<<<1, 1>>>((int*)0x10);
  } else if (!strcmp(action, "assert")) {
    assert_never<<<1, 32>>>(1);
  } else if (!strcmp(action, "trap")) {
    trap<<<1, 1>>>();
  } else if (!strcmp(action, "long")) {
    wait_cycles<<<132, 64>>>(6000000000LL);
  } else if (!strcmp(action, "exit")) {
    _exit(0);
  }
}

static volatile sig_atomic_t asked_to_leave = 0;
static void leave(int) { asked_to_leave = 1; }

// Device memory that anyone may still get: 64 MiB asked for and given back.
static void probe() {
  void* held = nullptr;
  cudaError_t error = cudaMalloc(&held, 64 * MIB);
  if (error == cudaSuccess) cudaFree(held);
  else { say("probe_failed", error, 64); cudaGetLastError(); }
}

int main(int count, char** words) {
  if (count != 5) return 2;
  const char* action = words[1];
  const double at_s = atof(words[2]), for_s = atof(words[3]), linger_s = atof(words[4]);
  const int blocks = 132 * 4, threads = 256, turns = 200000;
  if (!strcmp(action, "drain")) signal(SIGTERM, leave);
  const double born = now_s();
  float* out = nullptr;
  cudaError_t error = cudaMalloc(&out, sizeof(float) * blocks * threads);
  say("context", error, now_s() - born);
  if (error != cudaSuccess) return 3;
  work<<<blocks, threads>>>(out, turns);
  error = cudaDeviceSynchronize();
  say("first_kernel", error, now_s() - born);
  if (error != cudaSuccess) return 4;
  const double start = now_s();
  long done = 0;
  bool acted = !strcmp(action, "none");
  double next_tick = start, next_probe = start + 0.25;
  while (now_s() - start < for_s && !asked_to_leave) {
    if (!acted && now_s() - start >= at_s) { act(action); acted = true; }
    if (acted && !strcmp(action, "rest")) { usleep(1000); continue; }
    for (int i = 0; i < 4; ++i) work<<<blocks, threads>>>(out, turns);
    error = cudaDeviceSynchronize();
    if (error != cudaSuccess) break;
    done += 4;
    if (now_s() >= next_tick) { say("tick", cudaSuccess, (double)done); next_tick = now_s() + 0.02; }
    if (now_s() >= next_probe) { probe(); next_probe = now_s() + 0.5; }
  }
  if (error != cudaSuccess) {
    say("loop_error", error, (double)done);
    usleep((useconds_t)(1e6 * linger_s));
    void* held = nullptr;
    say("after_linger", cudaMalloc(&held, MIB), 0);
    return 5;
  }
  say("end", cudaDeviceSynchronize(), (double)done);
  return 0;
}
