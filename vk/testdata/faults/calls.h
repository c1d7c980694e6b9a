// The calls of the engine that can fail: name, parameters, arguments.
#define FAILING(X)                                                                                                         \
	X(CreateInstance, (const VkInstanceCreateInfo *i, const VkAllocationCallbacks *a, VkInstance *out), (i, a, out))       \
	X(EnumeratePhysicalDevices, (VkInstance d, uint32_t *n, VkPhysicalDevice *out), (d, n, out))                           \
	X(CreateDevice, (VkPhysicalDevice p, const VkDeviceCreateInfo *i, const VkAllocationCallbacks *a, VkDevice *out), (p, i, a, out)) \
	DEVICE_CALLS(X)                                                                                                        \
	X(QueueSubmit, (VkQueue d, uint32_t n, const VkSubmitInfo *s, VkFence fence), (d, n, s, fence))
#define DEVICE_CALLS(X)                                                                                                    \
	MAKING(X)                                                                                                              \
	X(MapMemory, (VkDevice d, VkDeviceMemory m, VkDeviceSize off, VkDeviceSize n, VkMemoryMapFlags f, void **out), (d, m, off, n, f, out)) \
	X(BindBufferMemory, (VkDevice d, VkBuffer b, VkDeviceMemory m, VkDeviceSize off), (d, b, m, off))                      \
	X(CreateComputePipelines, (VkDevice d, VkPipelineCache c, uint32_t n, const VkComputePipelineCreateInfo *i, const VkAllocationCallbacks *a, VkPipeline *out), (d, c, n, i, a, out)) \
	X(GetPipelineCacheData, (VkDevice d, VkPipelineCache c, size_t *n, void *out), (d, c, n, out))                         \
	X(AllocateDescriptorSets, (VkDevice d, const VkDescriptorSetAllocateInfo *i, VkDescriptorSet *out), (d, i, out))       \
	X(AllocateCommandBuffers, (VkDevice d, const VkCommandBufferAllocateInfo *i, VkCommandBuffer *out), (d, i, out))       \
	X(BeginCommandBuffer, (VkCommandBuffer d, const VkCommandBufferBeginInfo *i), (d, i))                                  \
	X(EndCommandBuffer, (VkCommandBuffer d), (d))                                                                          \
	X(ResetFences, (VkDevice d, uint32_t n, const VkFence *f), (d, n, f))                                                  \
	X(GetFenceStatus, (VkDevice d, VkFence f), (d, f))                                                                     \
	X(WaitForFences, (VkDevice d, uint32_t n, const VkFence *f, VkBool32 all, uint64_t t), (d, n, f, all, t))              \
	X(GetQueryPoolResults, (VkDevice d, VkQueryPool q, uint32_t first, uint32_t n, size_t size, void *out, VkDeviceSize stride, VkQueryResultFlags f), (d, q, first, n, size, out, stride, f))

// Those that make an object, all alike.
#define MAKING(X)                                                                                                          \
	X(AllocateMemory, (VkDevice d, const VkMemoryAllocateInfo *i, const VkAllocationCallbacks *a, VkDeviceMemory *out), (d, i, a, out)) \
	X(CreateBuffer, (VkDevice d, const VkBufferCreateInfo *i, const VkAllocationCallbacks *a, VkBuffer *out), (d, i, a, out)) \
	X(CreateBufferView, (VkDevice d, const VkBufferViewCreateInfo *i, const VkAllocationCallbacks *a, VkBufferView *out), (d, i, a, out)) \
	X(CreateShaderModule, (VkDevice d, const VkShaderModuleCreateInfo *i, const VkAllocationCallbacks *a, VkShaderModule *out), (d, i, a, out)) \
	X(CreateDescriptorSetLayout, (VkDevice d, const VkDescriptorSetLayoutCreateInfo *i, const VkAllocationCallbacks *a, VkDescriptorSetLayout *out), (d, i, a, out)) \
	X(CreatePipelineLayout, (VkDevice d, const VkPipelineLayoutCreateInfo *i, const VkAllocationCallbacks *a, VkPipelineLayout *out), (d, i, a, out)) \
	X(CreatePipelineCache, (VkDevice d, const VkPipelineCacheCreateInfo *i, const VkAllocationCallbacks *a, VkPipelineCache *out), (d, i, a, out)) \
	X(CreateDescriptorPool, (VkDevice d, const VkDescriptorPoolCreateInfo *i, const VkAllocationCallbacks *a, VkDescriptorPool *out), (d, i, a, out)) \
	X(CreateCommandPool, (VkDevice d, const VkCommandPoolCreateInfo *i, const VkAllocationCallbacks *a, VkCommandPool *out), (d, i, a, out)) \
	X(CreateFence, (VkDevice d, const VkFenceCreateInfo *i, const VkAllocationCallbacks *a, VkFence *out), (d, i, a, out)) \
	X(CreateQueryPool, (VkDevice d, const VkQueryPoolCreateInfo *i, const VkAllocationCallbacks *a, VkQueryPool *out), (d, i, a, out))

// The kinds of objects, and those of them that the calls above make.
#define OBJECTS(X) X(Instance) X(Device) X(DeviceMemory) X(Buffer) X(BufferView) X(ShaderModule) X(DescriptorSetLayout) \
	X(PipelineLayout) X(PipelineCache) X(Pipeline) X(DescriptorPool) X(CommandPool) X(Fence) X(QueryPool)
#define MADE_AllocateMemory object_DeviceMemory
#define MADE_CreateBuffer object_Buffer
#define MADE_CreateBufferView object_BufferView
#define MADE_CreateShaderModule object_ShaderModule
#define MADE_CreateDescriptorSetLayout object_DescriptorSetLayout
#define MADE_CreatePipelineLayout object_PipelineLayout
#define MADE_CreatePipelineCache object_PipelineCache
#define MADE_CreateDescriptorPool object_DescriptorPool
#define MADE_CreateCommandPool object_CommandPool
#define MADE_CreateFence object_Fence
#define MADE_CreateQueryPool object_QueryPool

// Those that free one: name, kind.
#define FREEING(X)                                                                                                    \
	X(FreeMemory, DeviceMemory) X(DestroyBuffer, Buffer) X(DestroyBufferView, BufferView)                             \
	X(DestroyShaderModule, ShaderModule) X(DestroyDescriptorSetLayout, DescriptorSetLayout)                           \
	X(DestroyPipelineLayout, PipelineLayout) X(DestroyPipelineCache, PipelineCache) X(DestroyPipeline, Pipeline)      \
	X(DestroyDescriptorPool, DescriptorPool) X(DestroyCommandPool, CommandPool) X(DestroyQueryPool, QueryPool)
