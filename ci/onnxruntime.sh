# Sourced by ci/test.sh: fetches ONNX Runtime's Linux library from its Node package (no headers, no
# install scripts) and names it in ADZE_ONNXRUNTIME. The tests use it as an independent judge.
ort_version=1.30.0
ort_dir=${XDG_CACHE_HOME:-$HOME/.cache}/adze/onnxruntime-$ort_version
ort_library=$ort_dir/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1
if [ -z "${ADZE_ONNXRUNTIME:-}" ]; then
  if [ ! -e "$ort_library" ]; then
    mkdir -p "$ort_dir"
    npm install --prefix "$ort_dir" --ignore-scripts --no-audit --no-fund "onnxruntime-node@$ort_version"
  fi
  export ADZE_ONNXRUNTIME=$ort_library
fi
