//! @ID@: runs models of elementwise operators on the CPU, in floats.
//!
//! The shape of every backend: place() says which nodes it takes and why not the others, compile()
//! makes an executable, run() runs it, release() drops it. Add kernels to OPERATORS, and what they
//! cannot do to why_not(). The table at the end has room for estimate, load, profile, artifacts.
mod adze; // the ABI in Rust: what the C headers declare, and a thin safe layer

use adze::{Backend, Call, Compile, Component, Context, Graph, Node, Plugin, Status, Tensor, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::mem::size_of;
use std::os::raw::c_void;
use std::slice;

struct Operator {
    op: &'static str,
    input_count: usize,
    compute: fn(f32, f32) -> f32,
}

const fn operator(op: &'static str, input_count: usize, compute: fn(f32, f32) -> f32) -> Operator {
    Operator { op, input_count, compute }
}

static OPERATORS: [Operator; 6] = [
    operator("Relu", 1, |a, _| if a < 0.0 { 0.0 } else { a }), // NaN stays NaN
    operator("Neg", 1, |a, _| -a),
    operator("Abs", 1, |a, _| a.abs()),
    operator("Identity", 1, |a, _| a),
    operator("Add", 2, |a, b| a + b),
    operator("Mul", 2, |a, b| a * b),
];

fn find(node: &Node) -> Option<&'static Operator> {
    OPERATORS.iter().find(|known| {
        node.domain.as_str().is_empty()
            && known.op == node.op.as_str()
            && known.input_count == node.inputs().len()
    })
}

fn same_shape(a: &Value, b: &Value) -> bool {
    let known = a.rank >= 0 && a.dims().iter().all(|&size| size >= 0);
    known && a.rank == b.rank && a.batch_axis == b.batch_axis && a.dims() == b.dims()
}

/// Why this backend cannot run a node, for people.
fn why_not(graph: &Graph, node: &Node) -> Option<String> {
    if find(node).is_none() {
        return Some(format!("there is no kernel for {}", node.op.as_str()));
    }
    let output = graph.value(node.outputs()[0]);
    for input in node.inputs().iter().map(|&index| graph.value(index)) {
        let reason = if input.constant().is_some() {
            "operands that are constants are not supported"
        } else if !input.is_f32() {
            "only 32-bit floats are supported"
        } else if !input.quant.is_null() || !output.quant.is_null() {
            "quantized values are not supported"
        } else if !same_shape(input, output) {
            "operands must have one shape, known beforehand"
        } else {
            continue;
        };
        return Some(reason.to_string());
    }
    None
}

extern "C" fn place(_: *mut c_void, call: *mut Call) -> Status {
    let body = |context: Context| {
        for (index, node) in (0u32..).zip(context.graph().nodes()) {
            match why_not(context.graph(), node) {
                Some(reason) => context.placement(index, adze::REFUSED, "", &reason)?,
                None => context.placement(index, adze::PLACED, "CPU", "")?,
            }
        }
        Ok(())
    };
    unsafe { adze::guard(call, body) } // failures and panics become a status
}

struct Step {
    kernel: &'static Operator,
    inputs: Vec<u32>, // values of the graph that was compiled
    output: u32,
}

/// All that run() needs: it may not look at the graph of compile() again.
struct Executable {
    steps: Vec<Step>,
    inputs: Vec<u32>,
    reported: BTreeSet<u32>,
}

fn make(context: Context, extra_outputs: &[u32]) -> adze::Result<Executable> {
    let graph = context.graph();
    let mut made =
        Executable { steps: vec![], inputs: graph.inputs().to_vec(), reported: BTreeSet::new() };
    for node in graph.nodes() { // topological order: ready to run
        if let Some(reason) = why_not(graph, node) {
            let text = format!("node '{}': {}", node.name.as_str(), reason);
            return Err(adze::fail(adze::UNIMPLEMENTED, text));
        }
        if let Some(kernel) = find(node) {
            let inputs = node.inputs().to_vec();
            made.steps.push(Step { kernel, inputs, output: node.outputs()[0] });
        }
    }
    for &value in graph.outputs() {
        if graph.value(value).constant().is_some() {
            return Err(adze::fail(adze::UNIMPLEMENTED, "an output of the model is a constant"));
        }
        made.reported.insert(value);
    }
    for &value in extra_outputs { // asked for by comparisons
        if graph.value(value).constant().is_some() {
            context.unavailable(value, "a constant")?;
        } else {
            made.reported.insert(value);
        }
    }
    Ok(made)
}

extern "C" fn compile(
    _: *mut c_void,
    call: *mut Call,
    options: *const Compile,
    out: *mut *mut c_void,
) -> Status {
    let body = |context: Context| {
        let extra_outputs = match unsafe { &*options } {
            none if none.extra_output_count == 0 => &[],
            some => unsafe {
                slice::from_raw_parts(some.extra_outputs, some.extra_output_count as usize)
            },
        };
        let made = Box::new(make(context, extra_outputs)?);
        unsafe { *out = Box::into_raw(made) as *mut c_void };
        Ok(())
    };
    unsafe { adze::guard(call, body) }
}

/// Elementwise: results have the shape of the first operand, whatever the batch.
fn execute(context: Context, made: &Executable, inputs: &[&Tensor]) -> adze::Result {
    let mut values: BTreeMap<u32, (Vec<f32>, Vec<i64>)> = BTreeMap::new();
    for (&value, tensor) in made.inputs.iter().zip(inputs) {
        let not_f32 = || adze::fail(adze::UNIMPLEMENTED, "an input of the model is not f32");
        let elements = tensor.f32().ok_or_else(not_f32)?.to_vec();
        values.insert(value, (elements, tensor.dims().to_vec()));
    }
    for step in &made.steps {
        let (first, shape) = &values[&step.inputs[0]];
        let (last, _) = &values[&step.inputs[step.inputs.len() - 1]];
        let result = first.iter().zip(last).map(|(&a, &b)| (step.kernel.compute)(a, b)).collect();
        let shape = shape.clone();
        values.insert(step.output, (result, shape));
    }
    for value in &made.reported {
        let (elements, shape) = &values[value];
        context.output(*value, elements, shape)?;
    }
    Ok(())
}

extern "C" fn run(
    executable: *mut c_void,
    call: *mut Call,
    inputs: *const *const Tensor,
    count: u64,
) -> Status {
    let body = |context: Context| {
        let made = unsafe { &*(executable as *const Executable) };
        let inputs: Vec<&Tensor> =
            (0..count as usize).map(|index| unsafe { &**inputs.add(index) }).collect();
        execute(context, made, &inputs)
    };
    unsafe { adze::guard(call, body) }
}

extern "C" fn release(executable: *mut c_void) {
    drop(unsafe { Box::from_raw(executable as *mut Executable) });
}

static BACKEND: Backend = Backend {
    struct_size: size_of::<Backend>() as u32,
    flags: 0,
    place,
    estimate: None,
    compile,
    load: None,
    run,
    profile: None,
    artifacts: None,
    release,
};
static COMPONENT: Component = Component {
    backend: Some(&BACKEND),
    ..Component::new(text!("@ID@"), text!("Runs elementwise operators on the CPU."), &[])
};
static PLUGIN: Plugin = Plugin::new(
    text!("@ID@"), text!("0.1.0"), text!("@VENDOR@"), text!("Apache-2.0"), &[&COMPONENT]);

#[no_mangle] // the one export
pub extern "C" fn adze_plugin_v1() -> &'static Plugin {
    &PLUGIN
}
