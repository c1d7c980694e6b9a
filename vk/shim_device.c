#include "shim.h"

#include <stdlib.h>
#include <string.h>

static int has_extension(const mmr_instance *i, VkPhysicalDevice d, const char *name) {
	uint32_t n = 0;
	if (i->extensions(d, NULL, &n, NULL) != VK_SUCCESS || n == 0)
		return 0;
	VkExtensionProperties *p = calloc(n, sizeof *p);
	if (!p)
		return 0;
	int found = 0;
	if (i->extensions(d, NULL, &n, p) >= 0)
		for (uint32_t k = 0; k < n; k++)
			found |= strcmp(p[k].extensionName, name) == 0;
	free(p);
	return found;
}

// Structs newer than the device's version are left out of a chain: a driver may ignore them, but a
// validation layer rightly objects.
static void link_next(void **tail, void *s) {
	VkBaseOutStructure *b = s;
	b->pNext = *tail;
	*tail = b;
}

// device_tiles has the size of cooperative matrices that a kernel here can use: float16 factors whose
// products are summed in float32, of sizes that divide the kernel's own tiles.
static void device_tiles(const mmr_instance *i, VkPhysicalDevice p, mmr_info *out) {
	VkCooperativeMatrixPropertiesKHR all[MMR_MAX_TILES];
	memset(all, 0, sizeof all);
	for (int k = 0; k < MMR_MAX_TILES; k++)
		all[k].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
	uint32_t n = MMR_MAX_TILES;
	if (i->tiles(p, &n, all) < 0)
		return;
	for (uint32_t k = 0; k < n; k++) {
		const VkCooperativeMatrixPropertiesKHR *c = &all[k];
		if (c->scope == VK_SCOPE_SUBGROUP_KHR && !c->saturatingAccumulation &&
		    c->AType == VK_COMPONENT_TYPE_FLOAT16_KHR && c->BType == VK_COMPONENT_TYPE_FLOAT16_KHR &&
		    c->CType == VK_COMPONENT_TYPE_FLOAT32_KHR && c->ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
		    64 % c->MSize == 0 && 64 % c->NSize == 0 && 16 % c->KSize == 0 &&
		    c->MSize * c->NSize > out->tile[0] * out->tile[1]) {
			out->tile[0] = c->MSize;
			out->tile[1] = c->NSize;
			out->tile[2] = c->KSize;
		}
	}
}

// device_coopmat says whether there are cooperative matrices; extensions of a device come after its core.
static uint32_t device_coopmat(const mmr_instance *i, VkPhysicalDevice p, mmr_info *out) {
	if (!i->tiles || out->api < VK_API_VERSION_1_3 || !has_extension(i, p, "VK_KHR_cooperative_matrix"))
		return 0;
	VkPhysicalDeviceCooperativeMatrixFeaturesKHR coopmat = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
	VkPhysicalDeviceVulkan12Features v12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
	VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
	link_next(&f.pNext, &v12);
	link_next(&f.pNext, &coopmat);
	i->features(p, &f);
	if (!coopmat.cooperativeMatrix || !v12.vulkanMemoryModel || !v12.shaderFloat16)
		return 0;
	device_tiles(i, p, out);
	return out->tile[0] ? MMR_COOPMAT : 0;
}

static uint32_t device_features(const mmr_instance *i, VkPhysicalDevice p, uint32_t api) {
	VkPhysicalDeviceVulkan12Features v12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
	VkPhysicalDeviceMaintenance4Features m4 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_FEATURES};
	VkPhysicalDeviceSubgroupSizeControlFeatures size = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES};
	VkPhysicalDevice16BitStorageFeatures s16 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES};
	VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
	link_next(&f.pNext, &s16);
	if (api >= VK_API_VERSION_1_2)
		link_next(&f.pNext, &v12);
	if (api >= VK_API_VERSION_1_3) {
		link_next(&f.pNext, &m4);
		link_next(&f.pNext, &size);
	}
	i->features(p, &f);
	return (f.features.shaderInt16 ? MMR_INT16 : 0) | (f.features.shaderInt64 ? MMR_INT64 : 0) |
	       (f.features.shaderFloat64 ? MMR_FLOAT64 : 0) | (s16.storageBuffer16BitAccess ? MMR_STORAGE16 : 0) |
	       (s16.uniformAndStorageBuffer16BitAccess ? MMR_UNIFORM16 : 0) |
	       (v12.storageBuffer8BitAccess ? MMR_STORAGE8 : 0) |
	       (v12.uniformAndStorageBuffer8BitAccess ? MMR_UNIFORM8 : 0) | (v12.shaderFloat16 ? MMR_FLOAT16 : 0) |
	       (v12.shaderInt8 ? MMR_INT8 : 0) | (v12.shaderSubgroupExtendedTypes ? MMR_EXTENDED_TYPES : 0) |
	       (size.subgroupSizeControl && size.computeFullSubgroups ? MMR_SUBGROUP_SIZE : 0) |
	       (m4.maintenance4 ? MMR_MAINTENANCE4 : 0);
}

static void device_memory(const mmr_instance *i, VkPhysicalDevice p, mmr_info *out) {
	VkPhysicalDeviceMemoryProperties2 m = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
	i->memory(p, &m);
	out->memory = m.memoryProperties;
}

static void device_families(const mmr_instance *i, VkPhysicalDevice p, mmr_info *out) {
	VkQueueFamilyProperties2 q[MMR_MAX_FAMILIES];
	memset(q, 0, sizeof q);
	for (int k = 0; k < MMR_MAX_FAMILIES; k++)
		q[k].sType = VK_STRUCTURE_TYPE_QUEUE_FAMILY_PROPERTIES_2;
	uint32_t n = MMR_MAX_FAMILIES;
	i->families(p, &n, q);
	out->families = n;
	for (uint32_t k = 0; k < n; k++) {
		out->family_flags[k] = q[k].queueFamilyProperties.queueFlags;
		out->family_bits[k] = q[k].queueFamilyProperties.timestampValidBits;
	}
}

void mmr_device_info(const mmr_instance *i, VkPhysicalDevice p, mmr_info *out) {
	VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
	VkPhysicalDeviceSubgroupProperties sub = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
	VkPhysicalDeviceMaintenance3Properties m3 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
	VkPhysicalDeviceMaintenance4Properties m4 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES};
	VkPhysicalDeviceSubgroupSizeControlProperties size = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
	VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
	VkPhysicalDeviceProperties2 r = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};

	memset(out, 0, sizeof *out);
	i->properties(p, &r); // the version first: it says what may be chained
	out->api = r.properties.apiVersion;
	if (out->api >= VK_API_VERSION_1_1) {
		link_next(&r.pNext, &id);
		link_next(&r.pNext, &sub);
		link_next(&r.pNext, &m3);
		if (out->api >= VK_API_VERSION_1_2)
			link_next(&r.pNext, &driver);
		if (out->api >= VK_API_VERSION_1_3) {
			link_next(&r.pNext, &m4);
			link_next(&r.pNext, &size);
		}
		i->properties(p, &r);
	}
	memcpy(out->name, r.properties.deviceName, sizeof out->name);
	memcpy(out->driver, driver.driverName, sizeof out->driver);
	memcpy(out->driver_info, driver.driverInfo, sizeof out->driver_info);
	memcpy(out->uuid, id.deviceUUID, 16);
	memcpy(out->driver_uuid, id.driverUUID, 16);
	memcpy(out->cache_uuid, r.properties.pipelineCacheUUID, 16);
	out->type = r.properties.deviceType;
	out->vendor = r.properties.vendorID;
	out->device = r.properties.deviceID;
	out->subgroup = sub.subgroupSize;
	out->subgroup_stages = sub.supportedStages;
	out->subgroup_operations = sub.supportedOperations;
	out->subgroup_min = size.minSubgroupSize;
	out->subgroup_max = size.maxSubgroupSize;
	out->subgroup_required_stages = size.requiredSubgroupSizeStages;
	out->max_allocation = m3.maxMemoryAllocationSize;
	out->max_buffer = m4.maxBufferSize;
	out->limits = r.properties.limits;
	out->features = out->api >= VK_API_VERSION_1_1 ? device_features(i, p, out->api) : 0;
	if (has_extension(i, p, "VK_KHR_pipeline_executable_properties"))
		out->features |= MMR_STATISTICS;
	out->features |= device_coopmat(i, p, out);
	out->portability_subset = has_extension(i, p, "VK_KHR_portability_subset");
	device_memory(i, p, out);
	device_families(i, p, out);
}

typedef struct {
	VkPhysicalDeviceFeatures2 base;
	VkPhysicalDevice16BitStorageFeatures s16;
	VkPhysicalDeviceVulkan12Features v12;
	VkPhysicalDeviceMaintenance4Features m4;
	VkPhysicalDeviceSubgroupSizeControlFeatures size;
	VkPhysicalDeviceCooperativeMatrixFeaturesKHR coopmat;
	VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR statistics;
} feature_chain;

void *mmr_feature_chain(uint32_t features, uint32_t api) {
	feature_chain *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->base.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
	c->base.features.shaderInt16 = !!(features & MMR_INT16);
	c->base.features.shaderInt64 = !!(features & MMR_INT64);
	c->base.features.shaderFloat64 = !!(features & MMR_FLOAT64);
	c->s16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES;
	c->s16.storageBuffer16BitAccess = !!(features & MMR_STORAGE16);
	c->s16.uniformAndStorageBuffer16BitAccess = !!(features & MMR_UNIFORM16);
	link_next(&c->base.pNext, &c->s16);
	if (api >= VK_API_VERSION_1_2) {
		c->v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
		c->v12.storageBuffer8BitAccess = !!(features & MMR_STORAGE8);
		c->v12.uniformAndStorageBuffer8BitAccess = !!(features & MMR_UNIFORM8);
		c->v12.shaderFloat16 = !!(features & MMR_FLOAT16);
		c->v12.shaderInt8 = !!(features & MMR_INT8);
		c->v12.shaderSubgroupExtendedTypes = !!(features & MMR_EXTENDED_TYPES);
		c->v12.vulkanMemoryModel = !!(features & MMR_COOPMAT);
		link_next(&c->base.pNext, &c->v12);
	}
	if (api >= VK_API_VERSION_1_3) {
		c->m4.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_FEATURES;
		c->m4.maintenance4 = !!(features & MMR_MAINTENANCE4);
		link_next(&c->base.pNext, &c->m4);
		c->size.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES;
		c->size.subgroupSizeControl = c->size.computeFullSubgroups = !!(features & MMR_SUBGROUP_SIZE);
		link_next(&c->base.pNext, &c->size);
	}
	if (features & MMR_COOPMAT) {
		c->coopmat.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
		c->coopmat.cooperativeMatrix = 1;
		link_next(&c->base.pNext, &c->coopmat);
	}
	if (features & MMR_STATISTICS) {
		c->statistics.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR;
		c->statistics.pipelineExecutableInfo = 1;
		link_next(&c->base.pNext, &c->statistics);
	}
	return c;
}

void mmr_free_feature_chain(void *chain) { free(chain); }
