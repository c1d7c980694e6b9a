// Package vk is a small compute-only layer over Vulkan 1.1: devices, buffers cut out of large
// memory blocks, pipelines whose interface is read out of their SPIR-V, and command lists that are
// recorded once and submitted any number of times. It is the only package that imports the Vulkan
// binding or unsafe.
//
// # Order of work
//
// The device has one queue. Uploads, fills and submissions run in the order of the calls, and every
// command list begins with a barrier against everything submitted before it, so callers only place
// barriers between the dispatches of one list. Within a list nothing is implied: two dispatches
// without [Commands.Barrier] between them may overlap.
//
// # Concurrency
//
// A [Device], its buffers and its pipelines may be used by several goroutines. One [Commands] may be
// recorded by only one goroutine at a time.
//
// # Validation
//
// With [Options].Validate or MMRUN_VALIDATE=1 the Khronos validation layer checks every call, with
// synchronization validation on. What it reports (warnings and errors; information is dropped) is
// returned as a [ValidationError] by the call that caused it, or by the Submit, Wait or Close that
// follows. A missing layer is an error.
//
// # Pipeline cache
//
// Compiled pipelines are kept in the user's cache folder, one file per device and driver. The cache
// only saves time, so a file that is absent, damaged, of another driver or not writable never fails
// a call: it is ignored, replaced when possible, and [Device.CacheError] says what was wrong.
package vk
