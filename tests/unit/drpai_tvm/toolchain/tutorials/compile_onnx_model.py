"""Stands for the compile script of the parts that compute in FP16."""
import common

options = common.arguments(quantized=False)
common.fail_early()
shape = [int(size) for size in options.input_shape.split(",")]
common.write_compiled(options.output_dir, options.input_name, shape, interpreter=False)
print("[INFO] done")
