#include "shim.h"

#include <string.h>

const char *mmr_open_table(const mmr_instance *i, VkDevice device, VkQueue queue, mmr_table *t) {
	t->device = device;
	t->queue = queue;
#define LOAD(field, name)                                              \
	t->field = (PFN_##name)i->device(device, #name);                   \
	if (!t->field)                                                     \
		return #name;
	LOAD(create_pipelines, vkCreateComputePipelines)
	LOAD(allocate_sets, vkAllocateDescriptorSets)
	LOAD(update_sets, vkUpdateDescriptorSets)
	LOAD(barrier, vkCmdPipelineBarrier)
	LOAD(copy, vkCmdCopyBuffer)
	LOAD(bind_pipeline, vkCmdBindPipeline)
	LOAD(bind_sets, vkCmdBindDescriptorSets)
	LOAD(push, vkCmdPushConstants)
	LOAD(dispatch, vkCmdDispatch)
	LOAD(submit, vkQueueSubmit)
	LOAD(wait, vkWaitForFences)
	LOAD(reset, vkResetFences)
#undef LOAD
	t->statistics =
		(PFN_vkGetPipelineExecutableStatisticsKHR)i->device(device, "vkGetPipelineExecutableStatisticsKHR");
	return NULL;
}

VkResult mmr_create_pipeline(const mmr_table *t, VkPipelineCache cache, VkShaderModule module,
	VkPipelineLayout layout, const uint32_t *spec, uint32_t specs, uint32_t flags, uint32_t subgroup, VkPipeline *out) {
	VkSpecializationMapEntry entries[MMR_MAX_ARGS];
	if (specs > MMR_MAX_ARGS)
		return VK_ERROR_INITIALIZATION_FAILED;
	for (uint32_t k = 0; k < specs; k++)
		entries[k] = (VkSpecializationMapEntry){.constantID = k, .offset = 4 * k, .size = 4};
	VkSpecializationInfo si = {
		.mapEntryCount = specs, .pMapEntries = entries, .dataSize = 4 * specs, .pData = spec};
	VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
		.requiredSubgroupSize = subgroup};
	VkComputePipelineCreateInfo ci = {
		.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
		.flags = flags,
		.stage = {
			.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
			.pNext = subgroup ? &size : NULL,
			.flags = subgroup ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT : 0,
			.stage = VK_SHADER_STAGE_COMPUTE_BIT,
			.module = module,
			.pName = "main",
			.pSpecializationInfo = specs ? &si : NULL,
		},
		.layout = layout,
		.basePipelineIndex = -1,
	};
	return t->create_pipelines(t->device, cache, 1, &ci, NULL, out);
}

VkResult mmr_statistics(const mmr_table *t, VkPipeline pipeline, mmr_statistic *out, uint32_t *n) {
	VkPipelineExecutableInfoKHR info = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline};
	VkPipelineExecutableStatisticKHR all[MMR_MAX_STATISTICS];
	memset(all, 0, sizeof all);
	for (int k = 0; k < MMR_MAX_STATISTICS; k++)
		all[k].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
	*n = MMR_MAX_STATISTICS;
	VkResult r = t->statistics(t->device, &info, n, all);
	for (uint32_t k = 0; r >= 0 && k < *n; k++) {
		memcpy(out[k].name, all[k].name, sizeof out[k].name);
		switch (all[k].format) {
		case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR:
			out[k].value = all[k].value.b32;
			break;
		case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR:
			out[k].value = (int64_t)all[k].value.f64;
			break;
		default:
			out[k].value = all[k].value.i64;
		}
	}
	return r;
}

static VkResult write_set(const mmr_table *t, VkDescriptorSetLayout layout, VkDescriptorPool pool,
	const mmr_arg *args, uint32_t n, VkDescriptorSet *set) {
	VkDescriptorSetAllocateInfo ai = {
		.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
		.descriptorPool = pool,
		.descriptorSetCount = 1,
		.pSetLayouts = &layout,
	};
	VkResult r = t->allocate_sets(t->device, &ai, set);
	if (r != VK_SUCCESS)
		return r;
	VkWriteDescriptorSet w[MMR_MAX_ARGS];
	VkDescriptorBufferInfo b[MMR_MAX_ARGS];
	for (uint32_t k = 0; k < n; k++) {
		b[k] = (VkDescriptorBufferInfo){.buffer = args[k].buffer, .offset = args[k].offset, .range = args[k].range};
		w[k] = (VkWriteDescriptorSet){
			.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
			.dstSet = *set,
			.dstBinding = args[k].binding,
			.descriptorCount = 1,
			.descriptorType = args[k].kind == MMR_STORAGE ? VK_DESCRIPTOR_TYPE_STORAGE_BUFFER
			                                              : VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER,
			.pBufferInfo = &b[k],
			.pTexelBufferView = &args[k].view,
		};
	}
	t->update_sets(t->device, n, w, 0, NULL);
	return VK_SUCCESS;
}

VkResult mmr_dispatch(const mmr_table *t, VkCommandBuffer cb, VkPipeline pipeline, VkPipelineLayout layout,
	VkDescriptorSetLayout set_layout, VkDescriptorPool pool, const mmr_arg *args, uint32_t n,
	const void *push, uint32_t push_size, uint32_t x, uint32_t y, uint32_t z) {
	if (n > MMR_MAX_ARGS)
		return VK_ERROR_INITIALIZATION_FAILED;
	if (n) {
		VkDescriptorSet set;
		VkResult r = write_set(t, set_layout, pool, args, n, &set);
		if (r != VK_SUCCESS)
			return r;
		t->bind_sets(cb, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 0, NULL);
	}
	if (pipeline)
		t->bind_pipeline(cb, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
	if (push_size)
		t->push(cb, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, push_size, push);
	t->dispatch(cb, x, y, z);
	return VK_SUCCESS;
}

void mmr_barrier(const mmr_table *t, VkCommandBuffer cb, uint32_t src_stage, uint32_t src_access,
	uint32_t dst_stage, uint32_t dst_access) {
	VkMemoryBarrier b = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = src_access, .dstAccessMask = dst_access};
	t->barrier(cb, src_stage, dst_stage, 0, 1, &b, 0, NULL, 0, NULL);
}

void mmr_copy(const mmr_table *t, VkCommandBuffer cb, VkBuffer src, uint64_t src_off, VkBuffer dst,
	uint64_t dst_off, uint64_t size) {
	VkBufferCopy c = {.srcOffset = src_off, .dstOffset = dst_off, .size = size};
	t->copy(cb, src, dst, 1, &c);
}

VkResult mmr_submit(const mmr_table *t, const VkCommandBuffer *cbs, uint32_t n, VkFence fence) {
	VkSubmitInfo s = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = n, .pCommandBuffers = cbs};
	return t->submit(t->queue, 1, &s, fence);
}

VkResult mmr_wait(const mmr_table *t, VkFence fence) {
	return t->wait(t->device, 1, &fence, 1, UINT64_MAX);
}

VkResult mmr_reset(const mmr_table *t, VkFence fence) { return t->reset(t->device, 1, &fence); }
