// Documents as optimize and validate write them, small.
#pragma once

#include <nlohmann/json.hpp>

namespace adze::host::test {

inline nlohmann::json metrics_document() {
  return nlohmann::json::parse(R"({
    "model": "net.onnx", "board_type": "rzv2h", "seed": 1,
    "baseline": {"metric": "top1", "value": 0.9219, "backend": "adze.cpu"},
    "optimized": {"metric": "top1", "value": 0.9188, "backend": "adze.drpai"},
    "steps": [
      {"name": "adze.prune.magnitude", "metric": "top1", "value": 0.9201, "backend": "adze.cpu", "sparsity": 0.72},
      {"name": "adze.quantize.ptq", "metric": "top1", "value": 0.9188, "backend": "adze.drpai", "sparsity": 0.72}],
    "sparsity": 0.72, "sparsity_by_layer": {"conv1": 0.0, "conv2": 0.75},
    "size_bytes": {"before": 660000, "after": 190000},
    "predicted_ms": {"before": 0.31, "after": 0.21},
    "layers": [
      {"name": "conv1", "op": "Conv", "unit": "drpai", "reason": "", "sparsity": 0.0, "predicted_ms": {"before": 0.02, "after": 0.02}},
      {"name": "conv2", "op": "Conv", "unit": "drpai", "reason": "", "sparsity": 0.75, "predicted_ms": {"before": 0.09, "after": 0.03}},
      {"name": "mean", "op": "ReduceMean", "unit": "cpu", "reason": "no DRP-AI kernel", "sparsity": null, "predicted_ms": {"before": 0.05, "after": 0.05}}],
    "warnings": ["stage 1: one layer was left dense"],
    "accept": {"max_drop": 1.5, "drop": 0.31, "passed": true}})");
}

inline nlohmann::json validation_document() {
  nlohmann::json samples = nlohmann::json::array();
  for (int i = 0; i < 200; ++i)
    samples.push_back(2.0 + (i * 37 % 100) * 0.002 + (i % 50 == 0 ? 0.8 : 0.0));
  nlohmann::json document = nlohmann::json::parse(R"({
    "verdict": "PASS", "board": "sim-01", "bundle": "9f2c", "predicted_ms": 0.21,
    "measured": {"n": 200, "min_ms": 2.0, "median_ms": 2.1, "mean_ms": 2.11, "mad_ms": 0.05,
      "p90_ms": 2.18, "p95_ms": 2.2, "p99_ms": null, "max_ms": 2.9, "ci95_ms": [2.09, 2.11],
      "conditions": {"simulated": true, "kernel": "6.1"}},
    "against_emulated": {"samples": 1000, "verdict": "PASS", "outputs": [
      {"name": "logits", "sqnr_db": null, "cosine": 1.0, "max_abs": 0.0, "mismatch_share": 0.0, "top1_agreement": 1.0}]},
    "against_fp32": {"samples": 1000, "verdict": "DONE", "outputs": [
      {"name": "logits", "sqnr_db": 21.4, "cosine": 0.9964, "max_abs": 1.9, "mismatch_share": 1.0, "top1_agreement": 0.981}]},
    "metric": {"emulated": 0.918, "measured": 0.918}})");
  document["measured"]["samples_ms"] = samples;
  return document;
}

}  // namespace adze::host::test
