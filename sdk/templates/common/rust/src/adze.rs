//! The plugin ABI 1.0 in Rust. Above: <adze/*.h>, word for word. Below, from `Context` on: a thin
//! safe layer. The contract of each function is in the headers; begin with <adze/abi.h>.
//!
//! Names follow one rule: `adze_stat_request` is `StatRequest`, `ADZE_STAT_GRAM` is `STAT_GRAM`.
#![allow(dead_code)]

use std::ffi::{CStr, CString};
use std::mem::size_of;
use std::os::raw::{c_char, c_void};
use std::{panic, ptr, slice};

pub const ABI_MAJOR: u32 = 1;
pub const ABI_MINOR: u32 = 0;
/// No node, no value, an optional input left out.
pub const NONE: u32 = 0xFFFF_FFFF;

pub type Status = i32;
pub const OK: Status = 0;
pub const CANCELLED: Status = 1;
pub const UNKNOWN: Status = 2;
pub const INVALID_ARGUMENT: Status = 3;
pub const DEADLINE_EXCEEDED: Status = 4;
pub const NOT_FOUND: Status = 5;
pub const ALREADY_EXISTS: Status = 6;
pub const PERMISSION_DENIED: Status = 7;
pub const RESOURCE_EXHAUSTED: Status = 8;
pub const FAILED_PRECONDITION: Status = 9;
pub const ABORTED: Status = 10;
pub const OUT_OF_RANGE: Status = 11;
pub const UNIMPLEMENTED: Status = 12;
pub const INTERNAL: Status = 13;
pub const UNAVAILABLE: Status = 14;
pub const DATA_LOSS: Status = 15;
pub const UNAUTHENTICATED: Status = 16;

// Tensor.code
pub const INT: u8 = 0;
pub const UINT: u8 = 1;
pub const FLOAT: u8 = 2;
pub const OPAQUE: u8 = 3;
pub const BFLOAT: u8 = 4;
pub const COMPLEX: u8 = 5;
pub const BOOL: u8 = 6;

// Property.type, Param.type
pub const F64: u32 = 1;
pub const I64: u32 = 2;
pub const FLAG: u32 = 3;
pub const TEXT: u32 = 4;
pub const PATH: u32 = 5;
pub const TENSOR: u32 = 6;
pub const GRAPH: u32 = 7;

pub const VALUE_INPUT: u32 = 1;
pub const VALUE_OUTPUT: u32 = 2;

pub const LOG_DEBUG: i32 = 0;
pub const LOG_INFO: i32 = 1;
pub const LOG_WARNING: i32 = 2;
pub const LOG_ERROR: i32 = 3;

pub const PARAM_LIST: u64 = 1;
pub const PARAM_MAP: u64 = 2;
pub const PARAM_REQUIRED: u64 = 4;

/// Component.flags: same inputs, seed and arguments give the same bytes.
pub const DETERMINISTIC: u32 = 1;

// ProfileRow.source
pub const PREDICTED: u32 = 1;
pub const MEASURED: u32 = 2;

// The verdict of Report.placement
pub const PLACED: u32 = 1;
pub const PLACED_WITH_LIMITS: u32 = 2;
pub const REFUSED: u32 = 3;

// StatRequest.kind, .state
pub const STAT_HISTOGRAM: u32 = 1;
pub const STAT_CHANNELS: u32 = 2;
pub const STAT_SAMPLES: u32 = 3;
pub const STAT_GRAM: u32 = 4;
pub const STAT_CROSS: u32 = 5;
pub const STATE_SHOWN: u32 = 0;
pub const STATE_EDITED: u32 = 1;

/// A text of C: UTF-8, ends with a zero. Made by text!("...").
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Text(pub *const c_char);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Tensor {
    pub data: *const c_void,
    pub device_type: i32,
    pub device_id: i32,
    pub ndim: i32,
    pub code: u8,
    pub bits: u8,
    pub lanes: u16,
    pub shape: *const i64,
    pub strides: *const i64,
    pub byte_offset: u64,
}

#[repr(C)]
pub struct Property {
    pub struct_size: u32,
    pub r#type: u32,
    pub count: u64,
    pub name: Text,
    pub f64: *const f64,
    pub i64: *const i64,
    pub text: *const Text,
    pub keys: *const Text,
    pub tensor: *const Tensor,
}

#[repr(C)]
pub struct Quant {
    pub struct_size: u32,
    pub flags: u32,
    pub axis: i32,
    pub code: u8,
    pub bits: u8,
    pub reserved: u16,
    pub count: u64,
    pub scale: *const f32,
    pub zero_point: *const i32,
}

#[repr(C)]
pub struct Value {
    pub struct_size: u32,
    pub flags: u32,
    pub rank: i32,
    pub batch_axis: i32,
    pub code: u8,
    pub bits: u8,
    pub reserved: u16,
    pub producer: u32,
    pub consumer_count: u64,
    pub name: Text,
    pub shape: *const i64,
    pub consumers: *const u32,
    pub constant: *const Tensor,
    pub keep: *const u8,
    pub quant: *const Quant,
}

#[repr(C)]
pub struct Node {
    pub struct_size: u32,
    pub op_version: u32,
    pub input_count: u32,
    pub output_count: u32,
    pub op: Text,
    pub domain: Text,
    pub name: Text,
    pub inputs: *const u32,
    pub outputs: *const u32,
    pub attribute_count: u64,
    pub attributes: *const *const Property,
}

#[repr(C)]
pub struct Graph {
    pub struct_size: u32,
    pub node_count: u32,
    pub value_count: u32,
    pub input_count: u32,
    pub output_count: u32,
    pub target_count: u32,
    pub nodes: *const *const Node,
    pub values: *const *const Value,
    pub inputs: *const u32,
    pub outputs: *const u32,
    pub targets: *const u32,
}

#[repr(C)]
pub struct Target {
    pub struct_size: u32,
    pub fact_count: u32,
    pub board_type: Text,
    pub facts: *const *const Property,
}

#[repr(C)]
pub struct Edit {
    pub struct_size: u32,
    pub flags: u32,
    pub set_constant: unsafe extern "C" fn(*mut Call, u32, *const Tensor) -> Status,
    pub set_mask: unsafe extern "C" fn(*mut Call, u32, *const u8, u64) -> Status,
    pub remove_channels: unsafe extern "C" fn(*mut Call, u32, *const u32, u64) -> Status,
    pub set_quant: unsafe extern "C" fn(*mut Call, u32, *const Quant) -> Status,
    pub mark: unsafe extern "C" fn(*mut Call) -> u64,
    pub rewind: unsafe extern "C" fn(*mut Call, u64) -> Status,
}

#[repr(C)]
pub struct Host {
    pub struct_size: u32,
    pub abi_minor: u32,
    pub log: unsafe extern "C" fn(*mut Call, i32, Text),
    pub progress: unsafe extern "C" fn(*mut Call, f64, Text) -> i32,
    pub fail: unsafe extern "C" fn(*mut Call, Status, Text) -> Status,
    pub get_extension: unsafe extern "C" fn(*mut Call, Text) -> *const c_void,
}

#[repr(C)]
pub struct Call {
    pub struct_size: u32,
    pub threads: u32,
    pub seed: u64,
    pub host: *const Host,
    pub arguments: *const *const Property,
    pub graph: *const Graph,
    pub target: *const Target,
    pub edit: *const Edit,
    pub report: *const Report,
    pub r#impl: *mut c_void,
}

#[repr(C)]
pub struct Param {
    pub struct_size: u32,
    pub r#type: u32,
    pub flags: u64,
    pub name: Text,
    pub doc: Text,
    pub default_number: f64,
    pub min: f64,
    pub max: f64,
    pub default_text: Text,
    pub choices: *const Text,
}

#[repr(C)]
pub struct Component {
    pub struct_size: u32,
    pub flags: u32,
    pub id: Text,
    pub doc: Text,
    pub param_count: u64,
    pub params: *const Param,
    pub needs: *const Text,
    pub targets: *const Text,
    pub create: Option<extern "C" fn(*mut Call, *mut *mut c_void) -> Status>,
    pub destroy: Option<extern "C" fn(*mut c_void)>,
    pub pruner: Option<&'static Pruner>,
    pub quantizer: Option<&'static Quantizer>,
    pub backend: Option<&'static Backend>,
}

#[repr(C)]
pub struct Plugin {
    pub struct_size: u32,
    pub abi_minor: u32,
    pub required_minor: u32,
    pub component_count: u32,
    pub id: Text,
    pub version: Text,
    pub vendor: Text,
    pub license: Text,
    pub components: *const &'static Component,
}

#[repr(C)]
pub struct Pruner {
    pub struct_size: u32,
    pub flags: u32,
    pub prune: extern "C" fn(*mut c_void, *mut Call) -> Status,
}

#[repr(C)]
pub struct Quantizer {
    pub struct_size: u32,
    pub flags: u32,
    pub quantize: extern "C" fn(*mut c_void, *mut Call) -> Status,
}

#[repr(C)]
pub struct ProfileRow {
    pub struct_size: u32,
    pub source: u32,
    pub node_count: u64,
    pub nodes: *const u32,
    pub engine: Text,
    pub latency_ms: f64,
    pub bytes: u64,
}

#[repr(C)]
pub struct Report {
    pub struct_size: u32,
    pub flags: u32,
    pub placement: unsafe extern "C" fn(*mut Call, u32, u32, Text, Text) -> Status,
    pub unavailable: unsafe extern "C" fn(*mut Call, u32, Text) -> Status,
    pub output: unsafe extern "C" fn(*mut Call, u32, *const Tensor) -> Status,
    pub profile: unsafe extern "C" fn(*mut Call, *const ProfileRow) -> Status,
    pub artifact: unsafe extern "C" fn(*mut Call, Text) -> Status,
}

#[repr(C)]
pub struct Compile {
    pub struct_size: u32,
    pub batch: u32,
    pub extra_output_count: u64,
    pub extra_outputs: *const u32,
    pub work_dir: Text,
}

#[repr(C)]
pub struct WhatIf {
    pub struct_size: u32,
    pub node: u32,
    pub sparsity: f64,
    pub input_channels: u32,
    pub output_channels: u32,
}

pub type Place = extern "C" fn(*mut c_void, *mut Call) -> Status;
pub type Estimate =
    extern "C" fn(*mut c_void, *mut Call, *const *const WhatIf, u64, *mut f64) -> Status;
pub type CompileModel =
    extern "C" fn(*mut c_void, *mut Call, *const Compile, *mut *mut c_void) -> Status;
pub type Load = extern "C" fn(*mut c_void, *mut Call, Text, *mut *mut c_void) -> Status;
pub type Run = extern "C" fn(*mut c_void, *mut Call, *const *const Tensor, u64) -> Status;

#[repr(C)]
pub struct Backend {
    pub struct_size: u32,
    pub flags: u32,
    pub place: Place,
    pub estimate: Option<Estimate>,
    pub compile: CompileModel,
    pub load: Option<Load>,
    pub run: Run,
    pub profile: Option<extern "C" fn(*mut c_void, *mut Call) -> Status>,
    pub artifacts: Option<extern "C" fn(*mut c_void, *mut Call) -> Status>,
    pub release: extern "C" fn(*mut c_void),
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct StatRequest {
    pub struct_size: u32,
    pub kind: u32,
    pub node: u32,
    pub value: u32,
    pub state: u32,
    pub value_state: u32,
    pub first: u64,
    pub count: u64,
    pub bins: u64,
}

#[repr(C)]
pub struct Stat {
    pub struct_size: u32,
    pub reserved: u32,
    pub terms: u64,
    pub low: f64,
    pub high: f64,
    pub data: Tensor,
}

type Collect =
    unsafe extern "C" fn(*mut Call, *const StatRequest, u64, *mut *const Stat) -> Status;

#[repr(C)]
pub struct Calibration {
    pub struct_size: u32,
    pub sample_count: u32,
    pub collect: Collect,
    pub release: unsafe extern "C" fn(*mut Call, *const Stat),
}

#[repr(C)]
pub struct OnnxBytes {
    pub struct_size: u32,
    pub flags: u32,
    pub bytes: unsafe extern "C" fn(*mut Call, *mut *const u8, *mut u64) -> Status,
    pub save: unsafe extern "C" fn(*mut Call, Text) -> Status,
}

/// What the C headers say about sizes. A struct that differs does not compile.
const _: () = {
    assert!(size_of::<Tensor>() == 48 && size_of::<Property>() == 64);
    assert!(size_of::<Quant>() == 40 && size_of::<Value>() == 80 && size_of::<Node>() == 72);
    assert!(size_of::<Graph>() == 64 && size_of::<Target>() == 24 && size_of::<Edit>() == 56);
    assert!(size_of::<Host>() == 40 && size_of::<Call>() == 72 && size_of::<Param>() == 72);
    assert!(size_of::<Component>() == 96 && size_of::<Plugin>() == 56);
    assert!(size_of::<Pruner>() == 16 && size_of::<Quantizer>() == 16);
    assert!(size_of::<ProfileRow>() == 48 && size_of::<Report>() == 48);
    assert!(size_of::<Compile>() == 32 && size_of::<WhatIf>() == 24);
    assert!(size_of::<Backend>() == 72 && size_of::<Calibration>() == 24);
    assert!(size_of::<StatRequest>() == 48 && size_of::<Stat>() == 80);
    assert!(size_of::<OnnxBytes>() == 24);
};

// Descriptors are constant data: nothing in them changes after the plugin was compiled.
unsafe impl Sync for Text {}
unsafe impl Sync for Param {}
unsafe impl Sync for Component {}
unsafe impl Sync for Plugin {}

// ---- descriptors --------------------------------------------------------------------------------

/// text!("...") is a text of C that lives forever.
#[macro_export]
macro_rules! text {
    ($literal:expr) => {
        $crate::adze::Text(concat!($literal, "\0").as_ptr() as *const std::os::raw::c_char)
    };
}

pub const NULL_TEXT: Text = Text(ptr::null());
pub const CALIBRATION: Text = text!("adze.calibration/1");
pub const ONNX_BYTES: Text = text!("adze.onnx-bytes/1");

impl Param {
    const fn number(r#type: u32, name: Text, doc: Text, initial: f64, min: f64, max: f64) -> Param {
        Param {
            struct_size: size_of::<Param>() as u32,
            r#type,
            flags: 0,
            name,
            doc,
            default_number: initial,
            min,
            max,
            default_text: NULL_TEXT,
            choices: ptr::null(),
        }
    }
    pub const fn f64(name: Text, doc: Text, initial: f64, min: f64, max: f64) -> Param {
        Param::number(F64, name, doc, initial, min, max)
    }
    pub const fn i64(name: Text, doc: Text, initial: f64, min: f64, max: f64) -> Param {
        Param::number(I64, name, doc, initial, min, max)
    }
    /// `initial`: 0 or 1.
    pub const fn flag(name: Text, doc: Text, initial: f64) -> Param {
        Param::number(FLAG, name, doc, initial, 0.0, 0.0)
    }
    pub const fn text(name: Text, doc: Text, initial: Text) -> Param {
        Param { default_text: initial, ..Param::number(TEXT, name, doc, 0.0, 0.0, 0.0) }
    }
}

impl Pruner {
    pub const fn new(prune: extern "C" fn(*mut c_void, *mut Call) -> Status) -> Pruner {
        Pruner { struct_size: size_of::<Pruner>() as u32, flags: 0, prune }
    }
}

impl Quantizer {
    pub const fn new(quantize: extern "C" fn(*mut c_void, *mut Call) -> Status) -> Quantizer {
        Quantizer { struct_size: size_of::<Quantizer>() as u32, flags: 0, quantize }
    }
}

impl Component {
    /// Without a table: set one of `pruner`, `quantizer`, `backend`.
    pub const fn new(id: Text, doc: Text, params: &'static [Param]) -> Component {
        Component {
            struct_size: size_of::<Component>() as u32,
            flags: DETERMINISTIC,
            id,
            doc,
            param_count: params.len() as u64,
            params: if params.is_empty() { ptr::null() } else { params.as_ptr() },
            needs: ptr::null(),
            targets: ptr::null(),
            create: None,
            destroy: None,
            pruner: None,
            quantizer: None,
            backend: None,
        }
    }
}

impl Plugin {
    pub const fn new(
        id: Text,
        version: Text,
        vendor: Text,
        license: Text,
        components: &'static [&'static Component],
    ) -> Plugin {
        Plugin {
            struct_size: size_of::<Plugin>() as u32,
            abi_minor: ABI_MINOR,
            required_minor: 0,
            component_count: components.len() as u32,
            id,
            version,
            vendor,
            license,
            components: components.as_ptr(),
        }
    }
}

// ---- what is shown ------------------------------------------------------------------------------

/// The host keeps `count` elements there until the plugin's function returns.
unsafe fn shown<'a, T>(first: *const T, count: u64) -> &'a [T] {
    if first.is_null() || count == 0 {
        &[]
    } else {
        slice::from_raw_parts(first, count as usize)
    }
}

impl Text {
    pub fn as_str(&self) -> &str {
        if self.0.is_null() {
            return "";
        }
        unsafe { CStr::from_ptr(self.0) }.to_str().unwrap_or("")
    }
}

impl Tensor {
    pub fn dims(&self) -> &[i64] {
        unsafe { shown(self.shape, self.ndim.max(0) as u64) }
    }
    pub fn count(&self) -> usize {
        self.dims().iter().product::<i64>() as usize
    }
    /// Its elements; None when they are not 32-bit floats.
    pub fn f32(&self) -> Option<&[f32]> {
        if self.code != FLOAT || self.bits != 32 {
            return None;
        }
        let first = self.data as usize + self.byte_offset as usize;
        Some(unsafe { shown(first as *const f32, self.count() as u64) })
    }
}

impl Value {
    pub fn is_f32(&self) -> bool {
        self.code == FLOAT && self.bits == 32
    }
    /// The shape of a value whose rank is known.
    pub fn dims(&self) -> &[i64] {
        unsafe { shown(self.shape, self.rank.max(0) as u64) }
    }
    pub fn constant(&self) -> Option<&Tensor> {
        unsafe { self.constant.as_ref() }
    }
}

impl Node {
    pub fn inputs(&self) -> &[u32] {
        unsafe { shown(self.inputs, self.input_count.into()) }
    }
    pub fn outputs(&self) -> &[u32] {
        unsafe { shown(self.outputs, self.output_count.into()) }
    }
    pub fn attribute(&self, name: &str) -> Option<&Property> {
        let all = unsafe { shown(self.attributes, self.attribute_count) };
        all.iter().map(|one| unsafe { &**one }).find(|one| one.name.as_str() == name)
    }
}

impl Graph {
    pub fn node(&self, index: u32) -> &Node {
        unsafe { &**shown(self.nodes, self.node_count.into()).get(index as usize).unwrap() }
    }
    pub fn value(&self, index: u32) -> &Value {
        unsafe { &**shown(self.values, self.value_count.into()).get(index as usize).unwrap() }
    }
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        (0..self.node_count).map(move |index| self.node(index))
    }
    pub fn inputs(&self) -> &[u32] {
        unsafe { shown(self.inputs, self.input_count.into()) }
    }
    pub fn outputs(&self) -> &[u32] {
        unsafe { shown(self.outputs, self.output_count.into()) }
    }
    /// The nodes this stage may change.
    pub fn targets(&self) -> &[u32] {
        unsafe { shown(self.targets, self.target_count.into()) }
    }
    /// The constant f32 weight of a Conv, Gemm or MatMul.
    pub fn weight_of(&self, node: &Node) -> Option<u32> {
        let is_layer = matches!(node.op.as_str(), "Conv" | "Gemm" | "MatMul");
        if !is_layer || !node.domain.as_str().is_empty() || node.inputs().len() < 2 {
            return None;
        }
        let weight = node.inputs()[1];
        self.value(weight).constant().and_then(Tensor::f32).map(|_| weight)
    }
}

// ---- the call -----------------------------------------------------------------------------------

/// Why a component cannot go on.
pub enum Failure {
    /// The host has recorded the text.
    Recorded(Status),
    /// The text reaches the user.
    Own(Status, String),
}
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// A failure of the component itself: `return Err(adze::fail(adze::UNIMPLEMENTED, "..."))`.
pub fn fail(code: Status, text: impl Into<String>) -> Failure {
    Failure::Own(code, text.into())
}

fn check(status: Status) -> Result {
    if status == OK {
        Ok(())
    } else {
        Err(Failure::Recorded(status))
    }
}

fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

/// Runs `body` and turns failures and panics into a status: the one line between Rust and the ABI.
///
/// # Safety
/// `call` is what the host entered the plugin with.
pub unsafe fn guard(call: *mut Call, body: impl FnOnce(Context) -> Result) -> Status {
    let record = |code, text: &str| ((*(*call).host).fail)(call, code, Text(c_text(text).as_ptr()));
    match panic::catch_unwind(panic::AssertUnwindSafe(|| body(Context { call: &*call }))) {
        Ok(Ok(())) => OK,
        Ok(Err(Failure::Recorded(status))) => status,
        Ok(Err(Failure::Own(code, text))) => record(code, &text),
        Err(_) => record(INTERNAL, "panic in the plugin"),
    }
}

/// One call of the host into a component, as it was shown; for the thread it came on.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub call: &'a Call,
}

impl<'a> Context<'a> {
    fn raw(&self) -> *mut Call {
        self.call as *const Call as *mut Call
    }
    fn host(&self) -> &'a Host {
        unsafe { &*self.call.host }
    }
    fn edit(&self) -> &'a Edit {
        unsafe { &*self.call.edit }
    }
    fn report(&self) -> &'a Report {
        unsafe { &*self.call.report }
    }

    pub fn graph(&self) -> &'a Graph {
        unsafe { &*self.call.graph }
    }
    /// The argument for the parameter at this place of the component's table.
    pub fn argument(&self, index: usize) -> &'a Property {
        unsafe { &**self.call.arguments.add(index) }
    }
    pub fn f64(&self, index: usize) -> f64 {
        unsafe { *self.argument(index).f64 }
    }
    pub fn i64(&self, index: usize) -> i64 {
        unsafe { *self.argument(index).i64 }
    }
    pub fn log(&self, level: i32, text: &str) {
        unsafe { (self.host().log)(self.raw(), level, Text(c_text(text).as_ptr())) }
    }
    /// `fraction` in 0..1 of this call. An error when the user wants to stop.
    pub fn progress(&self, fraction: f64, doing: &str) -> Result {
        let doing = c_text(doing);
        let stop = unsafe { (self.host().progress)(self.raw(), fraction, Text(doing.as_ptr())) };
        check(if stop != 0 { CANCELLED } else { OK })
    }
    /// `T` is the table that belongs to the id, such as `Calibration` to `CALIBRATION`.
    ///
    /// # Safety
    /// It is another type's table otherwise.
    pub unsafe fn extension<T>(&self, id: Text) -> Result<&'a T> {
        let table = (self.host().get_extension)(self.raw(), id) as *const T;
        let missing = || fail(UNIMPLEMENTED, format!("the host does not offer {}", id.as_str()));
        table.as_ref().ok_or_else(missing)
    }
    /// One pass over the calibration samples for all requests.
    pub fn collect(&self, requests: &[StatRequest]) -> Result<Vec<&'a Stat>> {
        let mut stats: Vec<*const Stat> = vec![ptr::null(); requests.len()];
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let count = requests.len() as u64;
        unsafe {
            let calibration = self.extension::<Calibration>(CALIBRATION)?;
            check((calibration.collect)(self.raw(), requests.as_ptr(), count, stats.as_mut_ptr()))?;
            Ok(stats.into_iter().map(|one| &*one).collect())
        }
    }

    /// A byte an element of a constant: 0 prunes it.
    pub fn set_mask(&self, value: u32, keep: &[u8]) -> Result {
        let count = keep.len() as u64;
        check(unsafe { (self.edit().set_mask)(self.raw(), value, keep.as_ptr(), count) })
    }
    /// New contents for an f32 constant.
    pub fn set_constant(&self, value: u32, elements: &[f32]) -> Result {
        let old = self.graph().value(value).constant();
        let old = old.filter(|old| old.f32().map_or(false, |all| all.len() == elements.len()));
        let old = old.ok_or_else(|| fail(INTERNAL, "set_constant: not f32, or another size"))?;
        let new = Tensor { data: elements.as_ptr() as *const c_void, byte_offset: 0, ..*old };
        check(unsafe { (self.edit().set_constant)(self.raw(), value, &new) })
    }
    /// `axis` -1: one scale for the tensor; else one for each index along it. Without zero points
    /// they are all 0.
    pub fn set_quant(
        &self,
        value: u32,
        axis: i32,
        code: u8,
        bits: u8,
        scale: &[f32],
        zero_point: Option<&[i32]>,
    ) -> Result {
        if zero_point.map_or(false, |all| all.len() != scale.len()) {
            return Err(fail(INTERNAL, "set_quant: as many zero points as scales"));
        }
        let quant = Quant {
            struct_size: size_of::<Quant>() as u32,
            flags: 0,
            axis,
            code,
            bits,
            reserved: 0,
            count: scale.len() as u64,
            scale: scale.as_ptr(),
            zero_point: zero_point.map_or(ptr::null(), |all| all.as_ptr()),
        };
        check(unsafe { (self.edit().set_quant)(self.raw(), value, &quant) })
    }

    /// `reason` is for people; only PLACED does without.
    pub fn placement(&self, node: u32, verdict: u32, engine: &str, reason: &str) -> Result {
        let (engine, reason) = (c_text(engine), c_text(reason));
        let (engine, reason) = (Text(engine.as_ptr()), Text(reason.as_ptr()));
        check(unsafe { (self.report().placement)(self.raw(), node, verdict, engine, reason) })
    }
    pub fn unavailable(&self, value: u32, reason: &str) -> Result {
        let reason = c_text(reason);
        check(unsafe { (self.report().unavailable)(self.raw(), value, Text(reason.as_ptr())) })
    }
    /// An output of f32, row-major.
    pub fn output(&self, value: u32, elements: &[f32], shape: &[i64]) -> Result {
        if shape.iter().product::<i64>() != elements.len() as i64 {
            return Err(fail(INTERNAL, "output: the shape has another number of elements"));
        }
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        let tensor = Tensor {
            data: elements.as_ptr() as *const c_void,
            device_type: 1,
            device_id: 0,
            ndim: shape.len() as i32,
            code: FLOAT,
            bits: 32,
            lanes: 1,
            shape: shape.as_ptr(),
            strides: strides.as_ptr(),
            byte_offset: 0,
        };
        check(unsafe { (self.report().output)(self.raw(), value, &tensor) })
    }
}
