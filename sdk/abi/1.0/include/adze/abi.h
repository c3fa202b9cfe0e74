/* Adze plugin ABI 1.0: version, status codes, tensors, properties. Plain C11, 64-bit, no padding
 * anywhere. Ids like (R04) name rules that `adze plugin check` looks at: see sdk/RULES.md.
 *
 * Rules that hold in every header of this folder
 *
 * Layout      `struct_size` comes first and is set with sizeof by whoever fills the struct. Later
 *             minors only append. `adze_tensor` alone has no size: it is DLPack's DLTensor, byte
 *             for byte, and never changes. (D01, H01, H02)
 * Arrays      host to plugin: arrays of pointers to sized structs. Plugin to host: plain arrays;
 *             the host steps by the first element's struct_size. Pointer and count are 0 together.
 * Known data  what is known when a call starts is data (graph, arguments, target); what costs or
 *             acts is a function.
 * Ownership   whoever allocates frees. A function the plugin calls has copied everything it was
 *             given when it returns; everything the host shows stays valid and unchanged until the
 *             plugin's function returns, unless said. (R04)
 * Threads     [worker]: only on the thread that entered the plugin. [any]: on any thread, until
 *             that call returns. One instance (`self`, executable) is never entered twice at once;
 *             two instances may be. (C03, T01, T02)
 * Errors      status 0 is success. On failure the host's own functions have already recorded the
 *             text: return the code. (H06, R01)
 * Growth      enumerators and flag bits are only appended. Skip what you do not know in what you
 *             are shown; the host answers ADZE_UNIMPLEMENTED to a request with an unknown kind or
 *             bit, and ignores unknown descriptor bits. (G04, H02)
 * Text        UTF-8, zero-terminated, never NULL unless said. (D03, H03) */
#ifndef ADZE_ABI_H
#define ADZE_ABI_H

#include <stddef.h>
#include <stdint.h>

#define ADZE_ABI_MAJOR 1u
#define ADZE_ABI_NEWEST_MINOR 0 /* what these headers describe */

/* -DADZE_TARGET_MINOR=n hides what came after 1.n, and the plugin says that it was built with 1.n.
 */
#ifndef ADZE_TARGET_MINOR
#define ADZE_TARGET_MINOR ADZE_ABI_NEWEST_MINOR
#elif ADZE_TARGET_MINOR > ADZE_ABI_NEWEST_MINOR
#error "these headers are older than ADZE_TARGET_MINOR: take a newer SDK or a lower number"
#endif
#define ADZE_ABI_MINOR ADZE_TARGET_MINOR

#define ADZE_EXPORT __attribute__((visibility("default")))

/* From C++17 on, a function that may throw does not convert to a slot of this ABI: the compiler
 * finds it. */
#if defined(__cplusplus) && __cplusplus >= 201703L
#define ADZE_NOEXCEPT noexcept
#else
#define ADZE_NOEXCEPT
#endif

/* True when the peer's struct reaches `field` and the field says something (0 and NULL mean "not
 * said"). */
#define ADZE_HAS(ptr, type, field) \
  ((ptr)->struct_size >= offsetof(type, field) + sizeof(((type*)0)->field) && (ptr)->field)

#define ADZE_NONE 0xFFFFFFFFu /* no node, no value, an optional input left out */

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t adze_status; /* values outside this list are read as ADZE_UNKNOWN */
enum {
  ADZE_OK = 0,
  ADZE_CANCELLED = 1, /* progress() or a host function said stop: return this, quickly */
  ADZE_UNKNOWN = 2,
  ADZE_INVALID_ARGUMENT = 3,
  ADZE_DEADLINE_EXCEEDED = 4,
  ADZE_NOT_FOUND = 5,
  ADZE_ALREADY_EXISTS = 6,
  ADZE_PERMISSION_DENIED = 7,
  ADZE_RESOURCE_EXHAUSTED = 8, /* out of memory, disk, or the limit the user set */
  ADZE_FAILED_PRECONDITION = 9,
  ADZE_ABORTED = 10,
  ADZE_OUT_OF_RANGE = 11,
  ADZE_UNIMPLEMENTED = 12, /* this side does not offer it; a caller may go on without */
  ADZE_INTERNAL = 13,
  ADZE_UNAVAILABLE = 14,
  ADZE_DATA_LOSS = 15,
  ADZE_UNAUTHENTICATED = 16
};

/* adze_tensor.code: DLPack's type codes. int4 is {ADZE_INT, 4, 1}: two to a byte, low nibble first.
   Since 1.0 */
enum {
  ADZE_INT = 0,
  ADZE_UINT = 1,
  ADZE_FLOAT = 2,
  ADZE_OPAQUE = 3, /* strings: data is NULL */
  ADZE_BFLOAT = 4,
  ADZE_COMPLEX = 5,
  ADZE_BOOL = 6
};

typedef struct adze_tensor {
  const void* data;       /* read-only; first element at data + byte_offset */
  int32_t device_type;    /* 1 = CPU memory; 1.0 uses no other */
  int32_t device_id;      /* 0 */
  int32_t ndim;           /* 0 = scalar */
  uint8_t code, bits;     /* see above */
  uint16_t lanes;         /* 1 */
  const int64_t* shape;   /* ndim sizes, each >= 0 */
  const int64_t* strides; /* in elements, row-major; never NULL when ndim > 0 */
  uint64_t byte_offset;   /* 0 in all tensors the host shows */
} adze_tensor;

/* adze_property.type, adze_param.type */
enum {
  ADZE_F64 = 1,
  ADZE_I64 = 2,
  ADZE_FLAG = 3,   /* i64: 0 or 1 */
  ADZE_TEXT = 4,   /* text */
  ADZE_PATH = 5,   /* text; absolute, exists, readable in a worker process too */
  ADZE_TENSOR = 6, /* tensor; node attributes only */
  ADZE_GRAPH = 7   /* a subgraph, which 1.0 names but does not show; node attributes only */
};

/* A name with one or more values: a component's argument, a node's attribute, a fact about the
 * target. */
typedef struct adze_property {
  uint32_t struct_size, type;
  uint64_t count; /* 1 for a single value; lists and maps may be empty */
  const char* name;
  const double* f64; /* `count` values in the one array that the type names; the others are NULL */
  const int64_t* i64;
  const char* const* text;
  const char* const* keys; /* `count` keys when the schema said MAP, else NULL */
  const adze_tensor* tensor;
} adze_property;

#ifdef __cplusplus
}
#endif
#endif
