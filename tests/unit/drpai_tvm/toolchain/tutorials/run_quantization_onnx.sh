#!/bin/bash
# Stands for the script that calls the quantizer: its own --opts at the end overrides the user's.
python3 -m drpai_quantizer.cli_interface \
  --calibrate_method MinMax \
  --input_model_path $1 \
  --output_model_path $2 \
  --tvm $3 \
  --opts exclude_act_func_dir ./exclude_operator
