// A Vulkan layer that makes one call fail, or every call from one on, and watches what is freed.
//
// MMRUN_FAULT is CALL:RESULT:N or CALL:RESULT:N+, as in vkWaitForFences:-2:3+. To the file that MMRUN_FAULT_LOG names it
// appends, when an instance is destroyed, a line "calls NAME N" for every call that can fail, a line "live NAME N" for every
// kind of object that is left, and a line "busy N" of objects that were freed while the device used them.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "vulkan_core.h"

// What the loader hands to layers, after its vk_layer.h.
typedef struct instance_link {
	struct instance_link *next;
	PFN_vkGetInstanceProcAddr get;
	void *physical;
} instance_link;
typedef struct device_link {
	struct device_link *next;
	PFN_vkGetInstanceProcAddr get_instance;
	PFN_vkGetDeviceProcAddr get;
} device_link;
typedef struct {
	VkStructureType type;
	const void *next;
	int function; // 0 is the link
	void *link;
} link_info;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static PFN_vkGetInstanceProcAddr next_instance;
static PFN_vkGetDeviceProcAddr next_device;
static VkInstance instance;
static int lost, busy;

static link_info *find_link(const void *chain, VkStructureType type) {
	for (link_info *l = (link_info *)chain; l; l = (link_info *)l->next)
		if (l->type == type && l->function == 0)
			return l;
	return NULL;
}

#include "calls.h"

enum {
#define NUMBER(name, ...) call_##name,
	FAILING(NUMBER) calls
#undef NUMBER
};
static const char *call_names[] = {
#define NAME(name, ...) "vk" #name,
	FAILING(NAME)
#undef NAME
};
static int made_calls[calls];

// Objects that are made and freed.
enum {
#define NUMBER(name) object_##name,
	OBJECTS(NUMBER) objects
#undef NUMBER
};
static const char *object_names[] = {
#define NAME(name) #name,
	OBJECTS(NAME)
#undef NAME
};
static int live[objects];

static void count(int object, int by) {
	pthread_mutex_lock(&lock);
	live[object] += by;
	pthread_mutex_unlock(&lock);
}

// fault is the result that a call has to have instead of being made; VK_RESULT_MAX_ENUM when it is to be made.
static VkResult fault(int call) {
	static char name[64];
	static int result, from, on, read;
	pthread_mutex_lock(&lock);
	if (!read) {
		read = 1;
		char more = 0;
		const char *env = getenv("MMRUN_FAULT");
		if (!env || sscanf(env, "%63[^:]:%d:%d%c", name, &result, &from, &more) < 3)
			name[0] = 0;
		on = more == '+';
	}
	int n = ++made_calls[call];
	int hit = !strcmp(name, call_names[call]) && (n == from || (on && n > from));
	pthread_mutex_unlock(&lock);
	return hit ? (VkResult)result : VK_RESULT_MAX_ENUM;
}

// Fences of what was submitted.
static struct {
	VkDevice device;
	VkFence fence;
} sent[1024];
static int sents;

static void submitted(VkDevice device, VkFence fence) {
	pthread_mutex_lock(&lock);
	if (fence && sents < 1024) {
		sent[sents].device = device;
		sent[sents++].fence = fence;
	}
	pthread_mutex_unlock(&lock);
}

static void forget(VkFence fence) {
	pthread_mutex_lock(&lock);
	for (int i = 0; i < sents; i++)
		if (sent[i].fence == fence)
			sent[i--] = sent[--sents];
	pthread_mutex_unlock(&lock);
}

// watch counts a freeing while the device is at work. All that is submitted uses memory, buffers and pools.
static void watch(VkDevice device) {
	PFN_vkGetFenceStatus status = (PFN_vkGetFenceStatus)next_device(device, "vkGetFenceStatus");
	pthread_mutex_lock(&lock);
	for (int i = 0; i < sents && !lost; i++)
		if (sent[i].device == device && status(device, sent[i].fence) == VK_NOT_READY)
			busy++;
	pthread_mutex_unlock(&lock);
}

// lose makes the device idle, as a lost one is in the end, and every later call of it fail.
static void lose(VkDevice device) {
	if (next_device) { // before, there is no device to wait for
		PFN_vkDeviceWaitIdle wait = (PFN_vkDeviceWaitIdle)next_device(device, "vkDeviceWaitIdle");
		wait(device);
	}
	lost = 1;
}

static void report(void) {
	const char *path = getenv("MMRUN_FAULT_LOG");
	FILE *f = path ? fopen(path, "a") : NULL;
	if (!f)
		return;
	for (int i = 0; i < calls; i++)
		fprintf(f, "calls %s %d\n", call_names[i], made_calls[i]);
	for (int i = 0; i < objects; i++)
		if (live[i])
			fprintf(f, "live %s %d\n", object_names[i], live[i]);
	fprintf(f, "busy %d\n", busy);
	fclose(f);
}

#include "hooks.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL fault_device(VkDevice device, const char *name) {
	PFN_vkVoidFunction f = hook(name);
	return f ? f : next_device(device, name);
}

EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL fault_instance(VkInstance i, const char *name) {
	PFN_vkVoidFunction f = hook(name);
	if (f)
		return f;
	return next_instance ? next_instance(i, name) : NULL;
}
