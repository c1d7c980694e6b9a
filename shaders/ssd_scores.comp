#version 450
//! axis: access ssbo
#extension GL_GOOGLE_include_directive : require
#include "tile_square.glsl"
#include "ssd_scores.glsl"
