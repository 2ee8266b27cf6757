#!/usr/bin/env bash
# Megatron-LM: llama-3.1-405b on 16,384 × h100-sxm-80gb, written by outlay
# layout tp=8,pp=16,vpp=4,cp=2,dp=64,mbs=1,zero=1,sp=on,recompute=selective, batch 2,048, sequence 8,192
# for Megatron-LM, arguments of megatron-core 0.19
# note: data, tokenizer, learning rate, saving and logging are left to you
# start it once on each node, with what it leaves out: ./megatron.sh --data-path … --tokenizer-type … --lr …
set -euo pipefail
export CUDA_DEVICE_MAX_CONNECTIONS=1

LAUNCH=(
  --nnodes 2048
  --nproc-per-node 8
  --node-rank "${NODE_RANK:-0}"
  --master-addr "${MASTER_ADDR:-localhost}"
  --master-port 29500
)
ARGUMENTS=(
  --num-layers 126
  --hidden-size 16384
  --num-attention-heads 128
  --kv-channels 128
  --group-query-attention
  --num-query-groups 8
  --ffn-hidden-size 53248
  --swiglu
  --disable-bias-linear
  --normalization RMSNorm
  --position-embedding-type rope
  --untie-embeddings-and-output-weights
  --max-position-embeddings 131072
  --vocab-size 128256
  --tensor-model-parallel-size 8
  --pipeline-model-parallel-size 16
  --context-parallel-size 2
  --account-for-embedding-in-pipeline-split
  --account-for-loss-in-pipeline-split
  --num-virtual-stages-per-pipeline-rank 4
  --sequence-parallel
  --use-distributed-optimizer
  --overlap-grad-reduce
  --overlap-param-gather
  --recompute-granularity selective
  --recompute-modules layernorm
  --seq-length 8192
  --micro-batch-size 1
  --global-batch-size 2048
  --train-iters 929833
  --bf16
  --optimizer adam
  --attention-dropout 0
  --hidden-dropout 0
)
torchrun "${LAUNCH[@]}" pretrain_gpt.py "${ARGUMENTS[@]}" "$@"
