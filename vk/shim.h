// The part of vk that is C: calls whose structs hold arrays. Built in C they live on the C stack
// for exactly as long as the call, where the Go binding frees its copies in a finalizer that may run
// too early; and a dispatch costs one crossing instead of five.
#ifndef MMRUN_VK_SHIM_H
#define MMRUN_VK_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include "vulkan_coopmat.h"

enum { MMR_MAX_ARGS = 32, MMR_MAX_FAMILIES = 32, MMR_MAX_SUBMIT = 64, MMR_MAX_STATISTICS = 64, MMR_MAX_TILES = 64 };

// Feature bits of mmr_info.features and mmr_feature_chain.
enum {
	MMR_INT16 = 1 << 0,
	MMR_INT64 = 1 << 1,
	MMR_STORAGE16 = 1 << 2,
	MMR_UNIFORM16 = 1 << 3,
	MMR_STORAGE8 = 1 << 4,
	MMR_UNIFORM8 = 1 << 5,
	MMR_FLOAT16 = 1 << 6,
	MMR_INT8 = 1 << 7,
	MMR_FLOAT64 = 1 << 8,
	MMR_EXTENDED_TYPES = 1 << 9,
	MMR_MAINTENANCE4 = 1 << 10, // LocalSizeId
	MMR_STATISTICS = 1 << 11,   // of pipelines; only on when asked for
	MMR_SUBGROUP_SIZE = 1 << 12, // full subgroups of a size that is asked for
	MMR_COOPMAT = 1 << 13,      // cooperative matrices, and the memory model that they need
};

// Kinds of mmr_arg; the order is that of the Go type Kind.
enum { MMR_STORAGE = 0, MMR_TEXEL = 1 };

// mmr_loader is the loader's entry point and the functions needed before a device exists.
typedef struct {
	PFN_vkGetInstanceProcAddr get;
	VkInstance instance;
	PFN_vkGetPhysicalDeviceProperties2 properties;
	PFN_vkGetPhysicalDeviceFeatures2 features;
	PFN_vkGetPhysicalDeviceMemoryProperties2 memory;
	PFN_vkGetPhysicalDeviceQueueFamilyProperties2 families;
	PFN_vkEnumerateDeviceExtensionProperties extensions;
	PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR tiles; // NULL where the loader does not know it
	PFN_vkGetDeviceProcAddr device;
	PFN_vkDestroyDebugUtilsMessengerEXT destroy_messenger;
	VkDebugUtilsMessengerEXT messenger;
} mmr_instance;

// mmr_table holds the device's own functions, found without the loader's trampolines.
typedef struct {
	VkDevice device;
	VkQueue queue;
	PFN_vkCreateComputePipelines create_pipelines;
	PFN_vkAllocateDescriptorSets allocate_sets;
	PFN_vkUpdateDescriptorSets update_sets;
	PFN_vkCmdPipelineBarrier barrier;
	PFN_vkCmdCopyBuffer copy;
	PFN_vkCmdBindPipeline bind_pipeline;
	PFN_vkCmdBindDescriptorSets bind_sets;
	PFN_vkCmdPushConstants push;
	PFN_vkCmdDispatch dispatch;
	PFN_vkQueueSubmit submit;
	PFN_vkWaitForFences wait;
	PFN_vkResetFences reset;
	PFN_vkGetPipelineExecutableStatisticsKHR statistics; // NULL where they are not on
} mmr_table;

// mmr_info is what a physical device says of itself, flattened.
typedef struct {
	char name[256], driver[256], driver_info[256];
	uint8_t uuid[16], driver_uuid[16], cache_uuid[16];
	uint32_t api, type, vendor, device;
	uint32_t subgroup, subgroup_stages, subgroup_operations;
	uint32_t subgroup_min, subgroup_max, subgroup_required_stages; // 0 before Vulkan 1.3
	uint32_t tile[3]; // M, N, K of products of float16 matrices summed in float32; 0 where there are none
	uint32_t features;
	uint32_t portability_subset;
	uint64_t max_allocation, max_buffer;
	VkPhysicalDeviceLimits limits;
	VkPhysicalDeviceMemoryProperties memory;
	uint32_t families;
	uint32_t family_flags[MMR_MAX_FAMILIES], family_bits[MMR_MAX_FAMILIES];
} mmr_info;

// mmr_statistic is a number that the driver tells of a pipeline.
typedef struct {
	char name[256];
	int64_t value;
} mmr_statistic;

// mmr_arg is one descriptor of a dispatch.
typedef struct {
	uint32_t binding, kind;
	VkBuffer buffer;
	VkBufferView view;
	uint64_t offset, range;
} mmr_arg;

// mmr_load opens the Vulkan loader and returns vkGetInstanceProcAddr, or NULL.
void *mmr_load(void);
// mmr_instance_version is the loader's API version (1.0 where it does not say).
uint32_t mmr_instance_version(void *get);
// mmr_has_layer and mmr_has_extension report 1, 0, or a negative VkResult; layer may be NULL.
int mmr_has_layer(void *get, const char *name);
int mmr_has_extension(void *get, const char *layer, const char *name);
// mmr_validation_chain is a malloc'ed pNext chain for instance creation: the messenger that
// reports to mmrMessage with the given id, and synchronization validation switched on.
void *mmr_validation_chain(uintptr_t id);
void mmr_free_validation_chain(void *chain);
// mmr_open_instance fills in i; a nonzero id also makes the messenger. mmr_close_instance destroys
// the messenger only.
VkResult mmr_open_instance(mmr_instance *i, void *get, VkInstance instance, uintptr_t id);
void mmr_close_instance(mmr_instance *i);
void mmr_device_info(const mmr_instance *i, VkPhysicalDevice p, mmr_info *out);
// mmr_feature_chain is a malloc'ed pNext chain for device creation with these features on.
void *mmr_feature_chain(uint32_t features, uint32_t api);
void mmr_free_feature_chain(void *chain);
// mmr_open_table reports the name of the first function the device lacks, or NULL.
const char *mmr_open_table(const mmr_instance *i, VkDevice device, VkQueue queue, mmr_table *t);

// mmr_create_pipeline makes a compute pipeline; a subgroup other than 0 asks for full ones of that size.
VkResult mmr_create_pipeline(const mmr_table *t, VkPipelineCache cache, VkShaderModule module,
	VkPipelineLayout layout, const uint32_t *spec, uint32_t specs, uint32_t flags, uint32_t subgroup, VkPipeline *out);
// mmr_statistics tells of a pipeline made with VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR.
VkResult mmr_statistics(const mmr_table *t, VkPipeline pipeline, mmr_statistic *out, uint32_t *n);
// mmr_dispatch allocates and writes one descriptor set, then records bind, push and dispatch. A null
// pipeline is the one already bound.
VkResult mmr_dispatch(const mmr_table *t, VkCommandBuffer cb, VkPipeline pipeline, VkPipelineLayout layout,
	VkDescriptorSetLayout set_layout, VkDescriptorPool pool, const mmr_arg *args, uint32_t n,
	const void *push, uint32_t push_size, uint32_t x, uint32_t y, uint32_t z);
void mmr_barrier(const mmr_table *t, VkCommandBuffer cb, uint32_t src_stage, uint32_t src_access,
	uint32_t dst_stage, uint32_t dst_access);
void mmr_copy(const mmr_table *t, VkCommandBuffer cb, VkBuffer src, uint64_t src_off, VkBuffer dst,
	uint64_t dst_off, uint64_t size);
VkResult mmr_submit(const mmr_table *t, const VkCommandBuffer *cbs, uint32_t n, VkFence fence);
VkResult mmr_wait(const mmr_table *t, VkFence fence);
VkResult mmr_reset(const mmr_table *t, VkFence fence);

#endif
