//! @ID@: INT8 from the ranges that calibration samples show.
//!
//! Quantizes the weights of Conv, Gemm and MatMul, and what flows into them. A quantizer does not
//! change numbers: it tells the host the grid of a value, and the host quantizes.
mod adze; // the ABI in Rust: what the C headers declare, and a thin safe layer

use adze::{Component, Context, Graph, Node, Param, Plugin, Quantizer, Stat, StatRequest, Status};
use std::collections::BTreeSet;
use std::mem::size_of;
use std::os::raw::c_void;

/// The layers among the nodes this stage may change: f32 activations times a constant weight.
fn layers_of(graph: &Graph) -> Vec<&Node> {
    let targets = graph.targets().iter().map(|&index| graph.node(index));
    targets
        .filter(|node| graph.weight_of(node).is_some())
        .filter(|node| {
            let input = graph.value(node.inputs()[0]);
            input.constant().is_none() && input.is_f32()
        })
        .collect()
}

/// A range of zeros must not give a scale of zero.
fn scale_of(bound: f64, levels: i32) -> f32 {
    let scale = (bound / f64::from(levels)) as f32;
    if scale > 0.0 { scale } else { 1.0 }
}

/// One unsigned grid for a whole activation: from 0, or around the middle when it has negative
/// values. Boards compute fastest without any other zero point.
fn set_activation(context: Context, value: u32, range: &Stat) -> adze::Result {
    let bits = context.i64(0) as u8;
    let middle = 1 << (bits - 1);
    let (levels, zero_point) =
        if range.low < 0.0 { (middle - 1, middle) } else { ((1 << bits) - 1, 0) };
    let scale = scale_of(range.high.max(-range.low), levels);
    context.set_quant(value, -1, adze::UINT, bits, &[scale], Some(&[zero_point]))
}

/// One signed grid an output channel of a Conv, where channels lie one after the other; one for the
/// whole weight of a Gemm or MatMul.
fn set_weight(context: Context, node: &Node) -> adze::Result {
    let weight = context.graph().value(node.inputs()[1]).constant();
    let elements = weight.and_then(|all| all.f32()).unwrap_or(&[]);
    if elements.is_empty() {
        return Ok(());
    }
    if !elements.iter().all(|x| x.is_finite()) {
        let text = format!("node '{}': weights are NaN or infinite", node.name.as_str());
        return Err(adze::fail(adze::FAILED_PRECONDITION, text));
    }
    let by_channel = node.op.as_str() == "Conv";
    let channels = weight.filter(|_| by_channel).map_or(1, |all| all.dims()[0] as usize);
    let bound = |channel: &[f32]| channel.iter().fold(0f32, |most, x| most.max(x.abs()));
    let scales: Vec<f32> = elements
        .chunks(elements.len() / channels)
        .map(|channel| scale_of(f64::from(bound(channel)), 127))
        .collect();
    let axis = if by_channel { 0 } else { -1 };
    context.set_quant(node.inputs()[1], axis, adze::INT, 8, &scales, None)
}

fn quantize(context: Context) -> adze::Result {
    let layers = layers_of(context.graph());
    context.progress(0.0, "ranges")?;
    // Several layers may read one activation.
    let values: BTreeSet<u32> = layers.iter().map(|node| node.inputs()[0]).collect();
    let requests: Vec<StatRequest> = values
        .iter()
        .map(|&value| StatRequest {
            struct_size: size_of::<StatRequest>() as u32,
            kind: adze::STAT_HISTOGRAM, // no bins: the range alone
            node: adze::NONE,
            value,
            state: adze::STATE_SHOWN,
            value_state: adze::STATE_SHOWN,
            first: 0,
            count: 0,
            bins: 0,
        })
        .collect();
    for (request, range) in requests.iter().zip(context.collect(&requests)?) {
        set_activation(context, request.value, range)?;
    }
    context.progress(0.9, "weights")?;
    layers.iter().try_for_each(|node| set_weight(context, node))
}

extern "C" fn enter(_: *mut c_void, call: *mut adze::Call) -> Status {
    unsafe { adze::guard(call, quantize) } // failures and panics become a status
}

static PARAMS: [Param; 1] = [Param::i64( // what a recipe may set; the host checks it
    text!("bits"), text!("Bits of the activations."), 8.0, 7.0, 8.0)];
static NEEDS: [adze::Text; 2] = [adze::CALIBRATION, adze::NULL_TEXT];
static QUANTIZER: Quantizer = Quantizer::new(enter);
static COMPONENT: Component = Component {
    quantizer: Some(&QUANTIZER),
    needs: NEEDS.as_ptr(),
    ..Component::new(
        text!("@ID@"), text!("INT8 from the ranges of the calibration samples."), &PARAMS)
};
static PLUGIN: Plugin = Plugin::new(
    text!("@ID@"), text!("0.1.0"), text!("@VENDOR@"), text!("Apache-2.0"), &[&COMPONENT]);

#[no_mangle] // the one export
pub extern "C" fn adze_plugin_v1() -> &'static Plugin {
    &PLUGIN
}
