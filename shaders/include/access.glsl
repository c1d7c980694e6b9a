// Read-only arrays of vec4. One source serves two kinds of device: a software
// device fetches storage texels (TEXEL) with straight vector gathers in line, calls a function
// for uniform ones, and loops over storage buffer reads lane by lane; a GPU likes storage buffers. How work is shared out is
// another matter: SOFTWARE says which of the two the module is for.
//
//   IN4(b, name)   declares an input of vec4 at binding b;  at4(name, i) reads it
//   UIN4(b, name)  the same for uvec4;                      uat4(name, i)
#ifndef ACCESS_GLSL
#define ACCESS_GLSL

#ifdef TEXEL
#define IN4(b, name) layout(set = 0, binding = b, rgba32f) readonly uniform imageBuffer name
#define UIN4(b, name) layout(set = 0, binding = b, rgba32ui) readonly uniform uimageBuffer name
#define at4(name, i) imageLoad(name, int(i))
#define uat4(name, i) imageLoad(name, int(i))
#else
#define IN4(b, name) layout(set = 0, binding = b, std430) readonly buffer name##_t { vec4 name##_v[]; }
#define UIN4(b, name) layout(set = 0, binding = b, std430) readonly buffer name##_t { uvec4 name##_v[]; }
#define at4(name, i) name##_v[i]
#define uat4(name, i) name##_v[i]
#endif

// at1 reads one float of an IN4.
#define at1(name, i) at4(name, (i) >> 2)[(i) & 3]

#define OUT(b, type, name) layout(set = 0, binding = b, std430) writeonly buffer name##_t { type name[]; }
#define INOUT(b, type, name) layout(set = 0, binding = b, std430) buffer name##_t { type name[]; }
#define IN(b, type, name) layout(set = 0, binding = b, std430) readonly buffer name##_t { type name[]; }

#endif
