// The shaders of the picture: a buffer's values as colours, and their range. Not of any kernel.

import type { Picture } from "./plan.ts";

const elementType: Readonly<Record<string, string>> = {
  f32: "f32", i32: "i32", u32: "u32", bool: "u32",
};

/** The WGSL type of a buffer's elements; undefined for a dtype that is not drawn. */
export function typeOf(dtype: string): string | undefined {
  return elementType[dtype];
}

/** The layout of the uniform block: see `View` below. */
export const viewBytes = 32;

const view = (type: string): string => `
struct View {
  columns: u32, rows: u32, channels: u32, count: u32, low: f32, high: f32, own: u32, unused: u32,
}
@group(0) @binding(0) var<storage, read> values: array<${type}>;
@group(0) @binding(1) var<uniform> view: View;
`;

// Floats as unsigned numbers in the same order, for atomics.
const ordered = `
fn key(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}
fn of_key(k: u32) -> f32 {
  return bitcast<f32>(select(~k, k & 0x7fffffffu, (k >> 31u) == 1u));
}
fn finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }
`;

/** Writes the least and greatest finite value as keys; the two start as all ones and as zero. */
export function rangeShader(dtype: string): string {
  return `${view(typeOf(dtype) ?? "f32")}
@group(0) @binding(2) var<storage, read_write> range: array<atomic<u32>, 2>;
${ordered}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  var least = 0xffffffffu;
  var greatest = 0u;
  for (var i = id.x; i < view.count; i += groups.x * 64u) {
    let x = f32(values[i]);
    if (finite(x)) { least = min(least, key(x)); greatest = max(greatest, key(x)); }
  }
  atomicMin(&range[0], least);
  atomicMax(&range[1], greatest);
}`;
}

const colours = `
const stops = array<vec3f, 5>(
  vec3f(68.0, 1.0, 84.0), vec3f(59.0, 82.0, 139.0), vec3f(33.0, 145.0, 140.0),
  vec3f(94.0, 201.0, 98.0), vec3f(253.0, 231.0, 37.0));
fn colour(place: f32) -> vec4f {
  let at = clamp(place, 0.0, 1.0) * 4.0;
  let low = u32(floor(at));
  let mixed = mix(stops[low], stops[min(low + 1u, 4u)], at - floor(at));
  return vec4f(mixed / 255.0, 1.0);
}
fn ends() -> vec2f {
  if (view.own == 0u) { return vec2f(view.low, view.high); }
  if (range[0] > range[1]) { return vec2f(0.0, 1.0); }
  return vec2f(of_key(range[0]), of_key(range[1]));
}
fn share(x: f32) -> f32 {
  let found = ends();
  return (x - found.x) / max(found.y - found.x, 1e-30);
}
`;

const image = `
fn colour_at(at: vec2u) -> vec4f {
  let first = (at.y * view.columns + at.x) * view.channels;
  if (view.channels == 1u) {
    let x = f32(values[first]);
    if (!finite(x)) { return vec4f(214.0 / 255.0, 39.0 / 255.0, 40.0 / 255.0, 1.0); }
    return colour(share(x));
  }
  let rgb = vec3f(f32(values[first]), f32(values[first + 1u]), f32(values[first + 2u]));
  return vec4f(clamp(rgb, vec3f(0.0), vec3f(1.0)), 1.0);
}`;

// A column of the picture is lit between the values left and right of it.
const line = `
fn value(column: u32) -> f32 {
  let last = view.count - 1u;
  let at = f32(column) * f32(last) / f32(max(view.columns - 1u, 1u));
  let left = min(u32(at), last);
  return mix(f32(values[left]), f32(values[min(left + 1u, last)]), at - f32(left));
}
fn colour_at(at: vec2u) -> vec4f {
  let y = (f32(view.rows - 1u - at.y) + 0.5) / f32(view.rows);
  let a = share(value(at.x)) * 0.9 + 0.05;
  let b = share(value(min(at.x + 1u, view.columns - 1u))) * 0.9 + 0.05;
  let pixel = 1.0 / f32(view.rows);
  let lit = y >= min(a, b) - pixel && y <= max(a, b) + pixel;
  return select(vec4f(0.0), vec4f(33.0, 145.0, 140.0, 255.0) / 255.0, lit);
}`;

/** Draws one triangle over the whole picture, each pixel from its own value. */
export function pictureShader({ dtype, drawn }: Picture): string {
  return `${view(typeOf(dtype) ?? "f32")}
@group(0) @binding(2) var<storage, read> range: array<u32, 2>;
${ordered}${colours}${drawn === "line" ? line : image}
@vertex
fn corner(@builtin(vertex_index) n: u32) -> @builtin(position) vec4f {
  return vec4f(f32(n & 1u) * 4.0 - 1.0, f32(n >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}
@fragment
fn paint(@builtin(position) place: vec4f) -> @location(0) vec4f {
  return colour_at(min(vec2u(place.xy), vec2u(view.columns - 1u, view.rows - 1u)));
}`;
}
