//! @ID@: prunes the weights of each layer that are closest to zero.
mod adze; // the ABI in Rust: what the C headers declare, and a thin safe layer

use adze::{Component, Context, Param, Plugin, Pruner, Status};
use std::os::raw::c_void;

fn prune(context: Context) -> adze::Result {
    let graph = context.graph();
    for &index in graph.targets() { // the nodes this stage may change
        let node = graph.node(index);
        context.progress(f64::from(index) / f64::from(graph.node_count), node.name.as_str())?;
        let weight = match graph.weight_of(node) {
            Some(weight) if graph.value(weight).consumer_count == 1 => weight,
            _ => continue, // no layer, or its weight is shared with a node that may not be ours
        };
        let elements = graph.value(weight).constant().and_then(|all| all.f32()).unwrap_or(&[]);
        let mut order: Vec<usize> = (0..elements.len()).collect();
        // Stable, so that ties are decided by place: always the same mask.
        order.sort_by(|&a, &b| elements[a].abs().total_cmp(&elements[b].abs()));
        let pruned = (context.f64(0) * elements.len() as f64).round() as usize;
        let mut keep = vec![1u8; elements.len()]; // a byte an element: 0 prunes it
        order[..pruned].iter().for_each(|&i| keep[i] = 0);
        context.set_mask(weight, &keep)?; // the host copies the mask
    }
    Ok(())
}

extern "C" fn enter(_: *mut c_void, call: *mut adze::Call) -> Status {
    unsafe { adze::guard(call, prune) } // failures and panics become a status
}

static PARAMS: [Param; 1] = [Param::f64( // what a recipe may set; the host checks it
    text!("sparsity"), text!("Share of each layer's weights to prune, 0 to 1."), 0.7, 0.0, 1.0)];
static PRUNER: Pruner = Pruner::new(enter);
static COMPONENT: Component = Component {
    pruner: Some(&PRUNER),
    ..Component::new(text!("@ID@"), text!("Prunes the weights closest to zero."), &PARAMS)
};
static PLUGIN: Plugin = Plugin::new(
    text!("@ID@"), text!("0.1.0"), text!("@VENDOR@"), text!("Apache-2.0"), &[&COMPONENT]);

#[no_mangle] // the one export
pub extern "C" fn adze_plugin_v1() -> &'static Plugin {
    &PLUGIN
}
