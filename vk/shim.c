#include "shim.h"

#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

// Names without a version belong to development packages; the versioned one is what a user has.
#if defined(_WIN32)
static const char *const names[] = {"vulkan-1.dll"};
#elif defined(__APPLE__)
static const char *const names[] = {"libvulkan.1.dylib", "libvulkan.dylib", "libMoltenVK.dylib"};
#else
static const char *const names[] = {"libvulkan.so.1", "libvulkan.so"};
#endif

void *mmr_load(void) {
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
#ifdef _WIN32
		HMODULE lib = LoadLibraryA(names[i]);
		void *get = lib ? (void *)GetProcAddress(lib, "vkGetInstanceProcAddr") : NULL;
#else
		void *lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
		void *get = lib ? dlsym(lib, "vkGetInstanceProcAddr") : NULL;
#endif
		if (get)
			return get;
	}
	return NULL;
}

static PFN_vkVoidFunction global(void *get, const char *name) {
	return ((PFN_vkGetInstanceProcAddr)get)(NULL, name);
}

uint32_t mmr_instance_version(void *get) {
	PFN_vkEnumerateInstanceVersion f = (PFN_vkEnumerateInstanceVersion)global(get, "vkEnumerateInstanceVersion");
	uint32_t v = 0;
	if (!f || f(&v) != VK_SUCCESS)
		return VK_API_VERSION_1_0;
	return v;
}

int mmr_has_layer(void *get, const char *name) {
	PFN_vkEnumerateInstanceLayerProperties f =
		(PFN_vkEnumerateInstanceLayerProperties)global(get, "vkEnumerateInstanceLayerProperties");
	uint32_t n = 0;
	if (!f)
		return 0;
	VkResult r = f(&n, NULL);
	if (r != VK_SUCCESS || n == 0)
		return r;
	VkLayerProperties *p = calloc(n, sizeof *p);
	if (!p)
		return VK_ERROR_OUT_OF_HOST_MEMORY;
	int found = 0;
	r = f(&n, p);
	for (uint32_t i = 0; r >= 0 && i < n; i++)
		found |= strcmp(p[i].layerName, name) == 0;
	free(p);
	return r < 0 ? r : found;
}

int mmr_has_extension(void *get, const char *layer, const char *name) {
	PFN_vkEnumerateInstanceExtensionProperties f =
		(PFN_vkEnumerateInstanceExtensionProperties)global(get, "vkEnumerateInstanceExtensionProperties");
	uint32_t n = 0;
	if (!f)
		return 0;
	VkResult r = f(layer, &n, NULL);
	if (r != VK_SUCCESS || n == 0)
		return r;
	VkExtensionProperties *p = calloc(n, sizeof *p);
	if (!p)
		return VK_ERROR_OUT_OF_HOST_MEMORY;
	r = f(layer, &n, p);
	int found = 0;
	for (uint32_t i = 0; r >= 0 && i < n; i++)
		found |= strcmp(p[i].extensionName, name) == 0;
	free(p);
	return r < 0 ? r : found;
}

// mmrMessage is exported from Go (validate.go).
extern void mmrMessage(uintptr_t id, uint32_t severity, uint32_t types, char *name, char *text);

static VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
	VkDebugUtilsMessageTypeFlagsEXT types, const VkDebugUtilsMessengerCallbackDataEXT *data, void *user) {
	mmrMessage((uintptr_t)user, severity, types, (char *)data->pMessageIdName, (char *)data->pMessage);
	return VK_FALSE;
}

// General messages are the loader's, about drivers and layers that this machine may have broken but
// that are not used; what the program does wrong comes as validation or performance.
static VkDebugUtilsMessengerCreateInfoEXT messenger_info(uintptr_t id) {
	VkDebugUtilsMessengerCreateInfoEXT c = {
		.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
		.messageSeverity =
			VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
		.messageType =
			VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
		.pfnUserCallback = on_message,
		.pUserData = (void *)id,
	};
	return c;
}

typedef struct {
	VkDebugUtilsMessengerCreateInfoEXT messenger;
	VkValidationFeaturesEXT features;
	VkValidationFeatureEnableEXT enable[1];
} validation_chain;

void *mmr_validation_chain(uintptr_t id) {
	validation_chain *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->messenger = messenger_info(id);
	c->messenger.pNext = &c->features;
	c->enable[0] = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
	c->features.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT;
	c->features.enabledValidationFeatureCount = 1;
	c->features.pEnabledValidationFeatures = c->enable;
	return c;
}

void mmr_free_validation_chain(void *chain) { free(chain); }

VkResult mmr_open_instance(mmr_instance *i, void *get, VkInstance instance, uintptr_t id) {
	i->get = (PFN_vkGetInstanceProcAddr)get;
	i->instance = instance;
	i->properties = (PFN_vkGetPhysicalDeviceProperties2)i->get(instance, "vkGetPhysicalDeviceProperties2");
	i->features = (PFN_vkGetPhysicalDeviceFeatures2)i->get(instance, "vkGetPhysicalDeviceFeatures2");
	i->memory = (PFN_vkGetPhysicalDeviceMemoryProperties2)i->get(instance, "vkGetPhysicalDeviceMemoryProperties2");
	i->families =
		(PFN_vkGetPhysicalDeviceQueueFamilyProperties2)i->get(instance, "vkGetPhysicalDeviceQueueFamilyProperties2");
	i->extensions =
		(PFN_vkEnumerateDeviceExtensionProperties)i->get(instance, "vkEnumerateDeviceExtensionProperties");
	i->device = (PFN_vkGetDeviceProcAddr)i->get(instance, "vkGetDeviceProcAddr");
	i->tiles = (PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)i->get(
		instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
	if (!i->properties || !i->features || !i->memory || !i->families || !i->extensions || !i->device)
		return VK_ERROR_INITIALIZATION_FAILED;
	if (!id)
		return VK_SUCCESS;
	PFN_vkCreateDebugUtilsMessengerEXT create =
		(PFN_vkCreateDebugUtilsMessengerEXT)i->get(instance, "vkCreateDebugUtilsMessengerEXT");
	i->destroy_messenger =
		(PFN_vkDestroyDebugUtilsMessengerEXT)i->get(instance, "vkDestroyDebugUtilsMessengerEXT");
	if (!create || !i->destroy_messenger)
		return VK_ERROR_EXTENSION_NOT_PRESENT;
	VkDebugUtilsMessengerCreateInfoEXT c = messenger_info(id);
	return create(instance, &c, NULL, &i->messenger);
}

void mmr_close_instance(mmr_instance *i) {
	if (i->messenger)
		i->destroy_messenger(i->instance, i->messenger, NULL);
	i->messenger = VK_NULL_HANDLE;
}
