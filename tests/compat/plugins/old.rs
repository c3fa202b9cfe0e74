//! A pruner in Rust as somebody may have built it for ABI 1.0, with bindings written by hand: it
//! prunes the first weight of each target. For Rust 1.63, which Debian 12 has, and without crates.
#![allow(dead_code)]
use std::os::raw::{c_char, c_void};
use std::{mem::size_of, panic, ptr, slice};

type Text = *const c_char;

#[repr(C)]
pub struct Tensor {
    data: *const c_void,
    device: [i32; 2],
    ndim: i32,
    code: u8,
    bits: u8,
    lanes: u16,
    shape: *const i64,
    strides: *const i64,
    byte_offset: u64,
}
#[repr(C)]
pub struct Value {
    size: u32,
    flags: u32,
    rank: i32,
    batch_axis: i32,
    code: u8,
    bits: u8,
    reserved: u16,
    producer: u32,
    consumer_count: u64,
    name: Text,
    shape: *const i64,
    consumers: *const u32,
    constant: *const Tensor,
    keep: *const u8,
    quant: *const c_void,
}
#[repr(C)]
pub struct Node {
    size: u32,
    op_version: u32,
    input_count: u32,
    output_count: u32,
    op: Text,
    domain: Text,
    name: Text,
    inputs: *const u32,
    outputs: *const u32,
    attribute_count: u64,
    attributes: *const c_void,
}
#[repr(C)]
pub struct Graph {
    size: u32,
    node_count: u32,
    value_count: u32,
    input_count: u32,
    output_count: u32,
    target_count: u32,
    nodes: *const *const Node,
    values: *const *const Value,
    inputs: *const u32,
    outputs: *const u32,
    targets: *const u32,
}
#[repr(C)]
pub struct Edit {
    size: u32,
    flags: u32,
    set_constant: extern "C" fn(*mut Call, u32, *const Tensor) -> i32,
    set_mask: extern "C" fn(*mut Call, u32, *const u8, u64) -> i32,
}
#[repr(C)]
pub struct Host {
    size: u32,
    minor: u32,
    log: extern "C" fn(*mut Call, i32, Text),
    progress: extern "C" fn(*mut Call, f64, Text) -> i32,
    fail: extern "C" fn(*mut Call, i32, Text) -> i32,
    get_extension: extern "C" fn(*mut Call, Text) -> *const c_void,
}
#[repr(C)]
pub struct Call {
    size: u32,
    threads: u32,
    seed: u64,
    host: *const Host,
    arguments: *const c_void,
    graph: *const Graph,
    target: *const c_void,
    edit: *const Edit,
    report: *const c_void,
    host_data: *mut c_void,
}
#[repr(C)]
pub struct Pruner {
    size: u32,
    flags: u32,
    prune: extern "C" fn(*mut c_void, *mut Call) -> i32,
}
#[repr(C)]
pub struct Component {
    size: u32,
    flags: u32,
    id: Text,
    doc: Text,
    param_count: u64,
    params: *const c_void,
    needs: *const Text,
    targets: *const Text,
    create: *const c_void,
    destroy: *const c_void,
    pruner: *const Pruner,
    quantizer: *const c_void,
    backend: *const c_void,
}
#[repr(C)]
pub struct Plugin {
    size: u32,
    minor: u32,
    required: u32,
    component_count: u32,
    id: Text,
    version: Text,
    vendor: Text,
    license: Text,
    components: *const *const Component,
}
#[repr(transparent)]
pub struct Constant<T>(T);
unsafe impl<T> Sync for Constant<T> {}

fn prune(call: &mut Call) -> i32 {
    // The host keeps all of it unchanged until the call returns.
    let (graph, edit) = unsafe { (&*call.graph, &*call.edit) };
    let targets = unsafe { slice::from_raw_parts(graph.targets, graph.target_count as usize) };
    for target in targets {
        let node = unsafe { &**graph.nodes.add(*target as usize) };
        let value = unsafe { *node.inputs.add(1) };
        let weight = unsafe { &*(**graph.values.add(value as usize)).constant };
        let shape = unsafe { slice::from_raw_parts(weight.shape, weight.ndim as usize) };
        let mut keep = vec![1u8; shape.iter().product::<i64>() as usize];
        keep[0] = 0;
        let status = (edit.set_mask)(call, value, keep.as_ptr(), keep.len() as u64);
        if status != 0 {
            return status;
        }
    }
    0
}

extern "C" fn entered(_: *mut c_void, call: *mut Call) -> i32 {
    panic::catch_unwind(|| prune(unsafe { &mut *call })).unwrap_or(13)
}

static PRUNER: Pruner = Pruner { size: size_of::<Pruner>() as u32, flags: 0, prune: entered };
static COMPONENT: Constant<Component> = Constant(Component {
    size: size_of::<Component>() as u32,
    flags: 1,
    id: b"org.example.rust.pruner\0".as_ptr() as Text,
    doc: b"Prunes one weight.\0".as_ptr() as Text,
    param_count: 0,
    params: ptr::null(),
    needs: ptr::null(),
    targets: ptr::null(),
    create: ptr::null(),
    destroy: ptr::null(),
    pruner: &PRUNER,
    quantizer: ptr::null(),
    backend: ptr::null(),
});
static COMPONENTS: Constant<[*const Component; 1]> = Constant([&COMPONENT.0]);
static PLUGIN: Constant<Plugin> = Constant(Plugin {
    size: size_of::<Plugin>() as u32,
    minor: 0,
    required: 0,
    component_count: 1,
    id: b"org.example.rust\0".as_ptr() as Text,
    version: b"1.0.0\0".as_ptr() as Text,
    vendor: b"Example\0".as_ptr() as Text,
    license: b"Apache-2.0\0".as_ptr() as Text,
    components: COMPONENTS.0.as_ptr(),
});

#[no_mangle]
pub extern "C" fn adze_plugin_v1() -> *const Plugin {
    &PLUGIN.0
}
