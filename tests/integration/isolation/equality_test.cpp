// A recipe gives the same bytes whether its plugins run in the host's process or in workers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "host/base/file.hpp"
#include "host/isolate/proxy.hpp"
#include "host/pipeline/artifacts.hpp"
#include "host/pipeline/optimize.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;

Recipe recipe() {
  const fs::path images = "/usr/share/datasets/fashion-mnist";
  Recipe recipe;
  recipe.model = fs::path(std::getenv("ADZE_SOURCE_DIR")) / "fixtures/models/fmnist_mobilenet.onnx";
  recipe.data.source = "idx";
  recipe.data.images = images / "t10k-images-idx3-ubyte.gz";
  recipe.data.labels = images / "t10k-labels-idx1-ubyte.gz";
  recipe.data.preprocess.scale = 1.0 / 255;
  recipe.calibration = CalibrationSpec{recipe.data, 32, 1};
  recipe.calibration->data.images = images / "train-images-idx3-ubyte.gz";
  recipe.calibration->data.labels.clear();
  recipe.seed = 1;
  recipe.stages = {StageSpec{.use = "adze.prune.magnitude", .settings = {{"sparsity", 0.75}}},
                   StageSpec{.use = "adze.quantize.ptq"}};
  return recipe;
}

TEST(IsolatedRecipe, gives_the_same_bytes_as_in_this_process) {
  const Registry here;
  const Registry there(
      RegistryOptions{.isolation = {.program = installation_root() / "bin" / "adze-worker",
                                    .tables = &worker_tables()},
                      .isolate_own = true});
  ASSERT_FALSE(there.runs_here(there.find("adze.cpu")));
  const TemporaryDirectory folder;
  const OptimizeOptions options{.threads = 2, .batch = 16, .samples = 64};
  write_artifacts(optimize(recipe(), here, options), folder.path() / "here");
  write_artifacts(optimize(recipe(), there, options), folder.path() / "there");
  for (const char* name : {"optimized.onnx", "edits.json", "metrics.json"})
    EXPECT_EQ(read_file(folder.path() / "here" / name), read_file(folder.path() / "there" / name))
        << name;
}

}  // namespace
}  // namespace adze::host
