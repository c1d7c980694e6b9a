// What the layer has in place of the calls.
static VkDevice only; // the device of queues and command buffers, of which nothing else tells

static PFN_vkVoidFunction below(VkDevice d, const char *name) { return next_device(d, name); }

#define CHECK(name)                                    \
	VkResult r = fault(call_##name);                   \
	if (r == VK_ERROR_DEVICE_LOST)                     \
		lose(only);                                    \
	if (r != VK_RESULT_MAX_ENUM)                       \
		return r;

#define MAKE(name, parameters, arguments)                                              \
	static VKAPI_ATTR VkResult VKAPI_CALL fault_##name parameters {                    \
		CHECK(name)                                                                    \
		r = ((PFN_vk##name)below(d, "vk" #name))arguments;                             \
		if (r == VK_SUCCESS)                                                           \
			count(MADE_##name, 1);                                                     \
		return r;                                                                      \
	}
MAKING(MAKE)

#define PLAIN(name, parameters, arguments)                                             \
	static VKAPI_ATTR VkResult VKAPI_CALL fault_##name parameters {                    \
		CHECK(name)                                                                    \
		return ((PFN_vk##name)below(only, "vk" #name))arguments;                       \
	}
PLAIN(MapMemory, (VkDevice d, VkDeviceMemory m, VkDeviceSize off, VkDeviceSize n, VkMemoryMapFlags f, void **out), (d, m, off, n, f, out))
PLAIN(BindBufferMemory, (VkDevice d, VkBuffer b, VkDeviceMemory m, VkDeviceSize off), (d, b, m, off))
PLAIN(GetPipelineCacheData, (VkDevice d, VkPipelineCache c, size_t *n, void *out), (d, c, n, out))
PLAIN(AllocateDescriptorSets, (VkDevice d, const VkDescriptorSetAllocateInfo *i, VkDescriptorSet *out), (d, i, out))
PLAIN(AllocateCommandBuffers, (VkDevice d, const VkCommandBufferAllocateInfo *i, VkCommandBuffer *out), (d, i, out))
PLAIN(BeginCommandBuffer, (VkCommandBuffer d, const VkCommandBufferBeginInfo *i), (d, i))
PLAIN(EndCommandBuffer, (VkCommandBuffer d), (d))

// Of a lost device they tell that it is.
#define LOSABLE(name, parameters, arguments)                                           \
	static VKAPI_ATTR VkResult VKAPI_CALL fault_##name parameters {                    \
		CHECK(name)                                                                    \
		if (lost)                                                                      \
			return VK_ERROR_DEVICE_LOST;                                               \
		return ((PFN_vk##name)below(only, "vk" #name))arguments;                       \
	}
LOSABLE(GetFenceStatus, (VkDevice d, VkFence f), (d, f))
LOSABLE(WaitForFences, (VkDevice d, uint32_t n, const VkFence *f, VkBool32 all, uint64_t t), (d, n, f, all, t))
LOSABLE(GetQueryPoolResults, (VkDevice d, VkQueryPool q, uint32_t first, uint32_t n, size_t size, void *out, VkDeviceSize stride, VkQueryResultFlags f), (d, q, first, n, size, out, stride, f))

static VKAPI_ATTR VkResult VKAPI_CALL fault_ResetFences(VkDevice d, uint32_t n, const VkFence *f) {
	CHECK(ResetFences)
	for (uint32_t i = 0; i < n; i++)
		forget(f[i]);
	return ((PFN_vkResetFences)below(d, "vkResetFences"))(d, n, f);
}

static VKAPI_ATTR VkResult VKAPI_CALL fault_QueueSubmit(VkQueue q, uint32_t n, const VkSubmitInfo *s, VkFence fence) {
	CHECK(QueueSubmit)
	if (lost)
		return VK_ERROR_DEVICE_LOST;
	r = ((PFN_vkQueueSubmit)below(only, "vkQueueSubmit"))(q, n, s, fence);
	if (r == VK_SUCCESS)
		submitted(only, fence);
	return r;
}

static VKAPI_ATTR VkResult VKAPI_CALL fault_CreateComputePipelines(VkDevice d, VkPipelineCache c, uint32_t n,
	const VkComputePipelineCreateInfo *i, const VkAllocationCallbacks *a, VkPipeline *out) {
	CHECK(CreateComputePipelines)
	r = ((PFN_vkCreateComputePipelines)below(d, "vkCreateComputePipelines"))(d, c, n, i, a, out);
	if (r == VK_SUCCESS)
		count(object_Pipeline, (int)n);
	return r;
}

#define FREE(name, kind)                                                                                     \
	static VKAPI_ATTR void VKAPI_CALL fault_##name(VkDevice d, Vk##kind o, const VkAllocationCallbacks *a) { \
		if (!o)                                                                                              \
			return;                                                                                          \
		if (object_##kind == object_DeviceMemory || object_##kind == object_Buffer)                          \
			watch(d); /* of the others the ones in use are not known */                                      \
		count(object_##kind, -1);                                                                            \
		((PFN_vk##name)below(d, "vk" #name))(d, o, a);                                                       \
	}
FREEING(FREE)

static VKAPI_ATTR void VKAPI_CALL fault_DestroyFence(VkDevice d, VkFence o, const VkAllocationCallbacks *a) {
	watch(d);
	forget(o);
	count(object_Fence, -1);
	((PFN_vkDestroyFence)below(d, "vkDestroyFence"))(d, o, a);
}

static PFN_vkEnumeratePhysicalDevices next_enumerate;
static PFN_vkDestroyInstance next_destroy;

static VKAPI_ATTR VkResult VKAPI_CALL fault_CreateInstance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *a, VkInstance *out) {
	CHECK(CreateInstance)
	link_info *l = find_link(info->pNext, VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO);
	instance_link *link = l->link;
	PFN_vkGetInstanceProcAddr get = link->get;
	l->link = link->next;
	r = ((PFN_vkCreateInstance)get(NULL, "vkCreateInstance"))(info, a, out);
	if (r == VK_SUCCESS) {
		next_instance = get;
		instance = *out; // and while it is made: afterwards the loader gives the layers' own functions
		next_enumerate = (PFN_vkEnumeratePhysicalDevices)get(*out, "vkEnumeratePhysicalDevices");
		next_destroy = (PFN_vkDestroyInstance)get(*out, "vkDestroyInstance");
		count(object_Instance, 1);
	}
	return r;
}

static VKAPI_ATTR void VKAPI_CALL fault_DestroyInstance(VkInstance i, const VkAllocationCallbacks *a) {
	count(object_Instance, -1);
	report();
	next_destroy(i, a);
}

static VKAPI_ATTR VkResult VKAPI_CALL fault_EnumeratePhysicalDevices(VkInstance i, uint32_t *n, VkPhysicalDevice *out) {
	CHECK(EnumeratePhysicalDevices)
	return next_enumerate(i, n, out);
}

static VKAPI_ATTR VkResult VKAPI_CALL fault_CreateDevice(VkPhysicalDevice p, const VkDeviceCreateInfo *info, const VkAllocationCallbacks *a, VkDevice *out) {
	CHECK(CreateDevice)
	link_info *l = find_link(info->pNext, VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO);
	device_link *link = l->link;
	PFN_vkCreateDevice create = (PFN_vkCreateDevice)link->get_instance(instance, "vkCreateDevice");
	PFN_vkGetDeviceProcAddr get = link->get;
	l->link = link->next;
	r = create(p, info, a, out);
	if (r == VK_SUCCESS) {
		next_device = get;
		only = *out;
		count(object_Device, 1);
	}
	return r;
}

static VKAPI_ATTR void VKAPI_CALL fault_DestroyDevice(VkDevice d, const VkAllocationCallbacks *a) {
	watch(d);
	count(object_Device, -1);
	((PFN_vkDestroyDevice)below(d, "vkDestroyDevice"))(d, a);
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL fault_instance(VkInstance i, const char *name);
VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL fault_device(VkDevice d, const char *name);

// hook is the layer's own function of a name, NULL when it has none.
static PFN_vkVoidFunction hook(const char *name) {
#define FIND(name_, ...) \
	if (!strcmp(name, "vk" #name_)) \
		return (PFN_vkVoidFunction)fault_##name_;
	FAILING(FIND)
	FREEING(FIND)
	FIND(DestroyFence)
	FIND(DestroyInstance)
	FIND(DestroyDevice)
	if (!strcmp(name, "vkGetInstanceProcAddr"))
		return (PFN_vkVoidFunction)fault_instance;
	if (!strcmp(name, "vkGetDeviceProcAddr"))
		return (PFN_vkVoidFunction)fault_device;
	return NULL;
}
