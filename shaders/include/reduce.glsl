// Sums and maxima over a workgroup of REDUCE invocations, which the includer defines. With SUBGROUP a
// subgroup comes to one number by itself, of whatever size it is, and shared memory holds a number a
// subgroup; without it, a number an invocation. The order of a sum depends on the device.
#ifndef REDUCE_GLSL
#define REDUCE_GLSL

#ifdef SUBGROUP
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#define PARTIALS gl_NumSubgroups
#define partialSum(v) subgroupAdd(v)
#define partialMax(v) subgroupMax(v)
#define writes subgroupElect()
#define cell gl_SubgroupID
#else
#define PARTIALS REDUCE
#define partialSum(v) (v)
#define partialMax(v) (v)
#define writes true
#define cell gl_LocalInvocationIndex
#endif

shared float partial[REDUCE];

// All invocations get the result. Calls after one another need a barrier between them.
float sumOfAll(float v) {
	v = partialSum(v);
	if (writes)
		partial[cell] = v;
	barrier();
	float total = 0;
	for (uint i = 0; i < PARTIALS; i++)
		total += partial[i];
	return total;
}

float maxOfAll(float v) {
	v = partialMax(v);
	if (writes)
		partial[cell] = v;
	barrier();
	float most = partial[0];
	for (uint i = 1; i < PARTIALS; i++)
		most = max(most, partial[i]);
	return most;
}

#endif
