// A Vulkan layer for tests: devices have the least of every limit that Vulkan 1.1 promises and no feature but what it
// demands. MMRUN_LAYER_LIMITS changes some, such as "storage_buffers=16,storage_range=65536".
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../vulkan_1_1.h"

// What the loader tells layers (vk_layer.h).
typedef struct link_info {
	struct link_info *next;
	PFN_vkGetInstanceProcAddr instance;
	void *other; // physical devices of an instance's, vkGetDeviceProcAddr of a device's
} link_info;
typedef struct {
	VkStructureType sType;
	const void *pNext;
	int function; // 0: the chain
	link_info *link;
} create_info;
enum { LOADER_INSTANCE = 47, LOADER_DEVICE = 48 };

typedef struct {
	int sType; // 1
	void *pNext;
	uint32_t version;
	PFN_vkGetInstanceProcAddr instance;
	PFN_vkGetDeviceProcAddr device;
	void *physical;
} negotiation;

static PFN_vkGetInstanceProcAddr next_instance;
static PFN_vkGetDeviceProcAddr next_device;
static VkInstance known;
static void (*next_properties)(VkPhysicalDevice, VkPhysicalDeviceProperties *);
static PFN_vkGetPhysicalDeviceProperties2 next_properties2;
static PFN_vkGetPhysicalDeviceFeatures2 next_features2;

static create_info *chain(const void *p, VkStructureType type) {
	for (; p; p = ((const create_info *)p)->pNext)
		if (((const create_info *)p)->sType == type && ((const create_info *)p)->function == 0)
			return (create_info *)p;
	return NULL;
}

static VkResult create_instance(const VkBaseOutStructure *info, const VkAllocationCallbacks *a, VkInstance *out) {
	create_info *c = chain(info->pNext, LOADER_INSTANCE);
	if (!c)
		return VK_ERROR_INITIALIZATION_FAILED;
	next_instance = c->link->instance;
	c->link = c->link->next;
	VkResult r = ((VkResult (*)(const void *, const VkAllocationCallbacks *, VkInstance *))next_instance(NULL, "vkCreateInstance"))(info, a, out);
	if (r == VK_SUCCESS) { // asked later, the loader would name this layer
		known = *out;
		next_properties = (void (*)(VkPhysicalDevice, VkPhysicalDeviceProperties *))next_instance(known, "vkGetPhysicalDeviceProperties");
		next_properties2 = (PFN_vkGetPhysicalDeviceProperties2)next_instance(known, "vkGetPhysicalDeviceProperties2");
		next_features2 = (PFN_vkGetPhysicalDeviceFeatures2)next_instance(known, "vkGetPhysicalDeviceFeatures2");
	}
	return r;
}

static VkResult create_device(VkPhysicalDevice p, const VkBaseOutStructure *info, const VkAllocationCallbacks *a, VkDevice *out) {
	create_info *c = chain(info->pNext, LOADER_DEVICE);
	if (!c)
		return VK_ERROR_INITIALIZATION_FAILED;
	PFN_vkGetInstanceProcAddr get = c->link->instance;
	next_device = (PFN_vkGetDeviceProcAddr)c->link->other;
	c->link = c->link->next;
	return ((VkResult (*)(VkPhysicalDevice, const void *, const VkAllocationCallbacks *, VkDevice *))get(known, "vkCreateDevice"))(p, info, a, out);
}

// limit is what MMRUN_LAYER_LIMITS says, or otherwise the least.
static uint64_t limit(const char *name, uint64_t least) {
	const char *all = getenv("MMRUN_LAYER_LIMITS");
	size_t n = strlen(name);
	while (all && *all) {
		if (strncmp(all, name, n) == 0 && all[n] == '=')
			return strtoull(all + n + 1, NULL, 10);
		all = strchr(all, ',');
		all = all ? all + 1 : NULL;
	}
	return least;
}

static void least(VkPhysicalDeviceProperties *p) {
	VkPhysicalDeviceLimits *l = &p->limits;
	p->apiVersion = VK_API_VERSION_1_1;
	strcat(p->deviceName, " least");
	l->maxTexelBufferElements = limit("texels", 65536);
	l->maxUniformBufferRange = 16384;
	l->maxStorageBufferRange = limit("storage_range", 1 << 27);
	l->maxPushConstantsSize = limit("push", 128);
	l->maxMemoryAllocationCount = 4096;
	l->bufferImageGranularity = 131072;
	l->maxBoundDescriptorSets = 4;
	l->maxPerStageDescriptorSamplers = 16;
	l->maxPerStageDescriptorUniformBuffers = 12;
	l->maxPerStageDescriptorStorageBuffers = limit("storage_buffers", 4);
	l->maxPerStageDescriptorSampledImages = 16;
	l->maxPerStageDescriptorStorageImages = limit("storage_images", 4);
	l->maxPerStageResources = 128;
	l->maxDescriptorSetStorageBuffers = 24;
	l->maxDescriptorSetStorageImages = 24;
	l->maxComputeSharedMemorySize = limit("shared", 16384);
	l->maxComputeWorkGroupInvocations = limit("invocations", 128);
	for (int i = 0; i < 3; i++) {
		l->maxComputeWorkGroupCount[i] = limit("groups", 65535);
		l->maxComputeWorkGroupSize[i] = i < 2 ? 128 : 64;
	}
	l->minMemoryMapAlignment = 64;
	l->minTexelBufferOffsetAlignment = l->minStorageBufferOffsetAlignment = l->minUniformBufferOffsetAlignment = 256;
	l->nonCoherentAtomSize = 256;
}

static void properties(VkPhysicalDevice d, VkPhysicalDeviceProperties *p) {
	next_properties(d, p);
	least(p);
}

static void properties2(VkPhysicalDevice d, VkPhysicalDeviceProperties2 *p) {
	next_properties2(d, p);
	least(&p->properties);
	for (VkBaseOutStructure *s = p->pNext; s; s = s->pNext) {
		if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES) {
			VkPhysicalDeviceMaintenance3Properties *m = (void *)s;
			m->maxPerSetDescriptors = 1024;
			m->maxMemoryAllocationSize = limit("allocation", 1 << 30);
		}
		if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES) {
			VkPhysicalDeviceSubgroupProperties *m = (void *)s;
			m->subgroupSize = 1;
			m->supportedOperations = 1; // basic
		}
	}
}

static void features2(VkPhysicalDevice d, VkPhysicalDeviceFeatures2 *f) {
	next_features2(d, f);
	memset(&f->features, 0, sizeof f->features);
	f->features.robustBufferAccess = 1;
	for (VkBaseOutStructure *s = f->pNext; s; s = s->pNext)
		if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES) {
			VkPhysicalDevice16BitStorageFeatures *h = (void *)s;
			h->storageBuffer16BitAccess = h->uniformAndStorageBuffer16BitAccess = h->storagePushConstant16 = h->storageInputOutput16 = 0;
		}
}

static PFN_vkVoidFunction device_function(VkDevice d, const char *name) { return next_device(d, name); }

static PFN_vkVoidFunction instance_function(VkInstance i, const char *name) {
	static const struct {
		const char *name;
		PFN_vkVoidFunction function;
	} own[] = {
		{"vkGetInstanceProcAddr", (PFN_vkVoidFunction)instance_function},
		{"vkGetDeviceProcAddr", (PFN_vkVoidFunction)device_function},
		{"vkCreateInstance", (PFN_vkVoidFunction)create_instance},
		{"vkCreateDevice", (PFN_vkVoidFunction)create_device},
		{"vkGetPhysicalDeviceProperties", (PFN_vkVoidFunction)properties},
		{"vkGetPhysicalDeviceProperties2", (PFN_vkVoidFunction)properties2},
		{"vkGetPhysicalDeviceProperties2KHR", (PFN_vkVoidFunction)properties2},
		{"vkGetPhysicalDeviceFeatures2", (PFN_vkVoidFunction)features2},
		{"vkGetPhysicalDeviceFeatures2KHR", (PFN_vkVoidFunction)features2},
	};
	for (size_t k = 0; k < sizeof own / sizeof *own; k++)
		if (strcmp(own[k].name, name) == 0)
			return own[k].function;
	return next_instance ? next_instance(i, name) : NULL;
}

VkResult vkNegotiateLoaderLayerInterfaceVersion(negotiation *n) {
	n->version = 2;
	n->instance = instance_function;
	n->device = device_function;
	n->physical = NULL;
	return VK_SUCCESS;
}
