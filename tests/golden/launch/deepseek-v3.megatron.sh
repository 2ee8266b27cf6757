#!/usr/bin/env bash
# Megatron-LM: deepseek-v3 on 1,024 × h100-sxm-80gb, written by outlay
# layout tp=4,pp=8,ep=32,dp=32,mbs=1,zero=1,sp=on,recompute=selective, batch 15,360, sequence 4,096
# for Megatron-LM, arguments of megatron-core 0.19
# note: data, tokenizer, learning rate, saving and logging are left to you
# start it once on each node, with what it leaves out: ./megatron.sh --data-path … --tokenizer-type … --lr …
set -euo pipefail
export CUDA_DEVICE_MAX_CONNECTIONS=1

LAUNCH=(
  --nnodes 128
  --nproc-per-node 8
  --node-rank "${NODE_RANK:-0}"
  --master-addr "${MASTER_ADDR:-localhost}"
  --master-port 29500
)
ARGUMENTS=(
  --num-layers 61
  --hidden-size 7168
  --num-attention-heads 128
  --multi-latent-attention
  --q-lora-rank 1536
  --kv-lora-rank 512
  --qk-head-dim 128
  --qk-pos-emb-head-dim 64
  --v-head-dim 128
  --ffn-hidden-size 18432
  --num-experts 256
  --moe-router-topk 8
  --moe-ffn-hidden-size 2048
  --moe-grouped-gemm
  --moe-token-dispatcher-type alltoall
  --moe-shared-expert-intermediate-size 2048
  --moe-layer-freq "([0]*3+[1]*58)"
  --swiglu
  --disable-bias-linear
  --normalization RMSNorm
  --position-embedding-type rope
  --untie-embeddings-and-output-weights
  --mtp-num-layers 1
  --max-position-embeddings 163840
  --vocab-size 129280
  --tensor-model-parallel-size 4
  --pipeline-model-parallel-size 8
  --context-parallel-size 1
  --pipeline-model-parallel-layout "Et*7|t*8|t*8|t*8|t*8|t*8|t*7|t*7,m,L"
  --sequence-parallel
  --expert-model-parallel-size 32
  --expert-tensor-parallel-size 1
  --use-distributed-optimizer
  --overlap-grad-reduce
  --overlap-param-gather
  --recompute-granularity selective
  --recompute-modules layernorm moe_act mla_up_proj
  --seq-length 4096
  --micro-batch-size 1
  --global-batch-size 15360
  --train-iters 235240
  --bf16
  --optimizer adam
  --attention-dropout 0
  --hidden-dropout 0
)
torchrun "${LAUNCH[@]}" pretrain_gpt.py "${ARGUMENTS[@]}" "$@"
