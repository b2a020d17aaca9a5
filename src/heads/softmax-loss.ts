import { buildNode, floatTensor, int64Tensor, valueInfo } from '../onnx/build-node.js';
import { ELEMENT, encodeModel } from '../onnx/model-proto.js';

/**
 * Loss of softmax regression with its gradient as an ONNX model, for N rows, D features and K classes of any number:
 *   x `[N, D]`, y int64 `[N]`, share `[N, 1]` (weights of the rows, adding up to 1), weights `[K, D]`, bias `[K]`
 *   → logits `[N, K]`, loss `[]`, by_weights `[K, D]`, by_bias `[K]`
 */
export function softmaxLossModel(): Uint8Array {
  const node = [
    buildNode('Gemm', { inputs: ['x', 'weights', 'bias'], outputs: ['logits'], attributes: { transB: 1 } }),
    buildNode('LogSoftmax', { inputs: ['logits'], outputs: ['log_p'], attributes: { axis: 1 } }),
    buildNode('Shape', { inputs: ['bias'], outputs: ['classes'] }),
    buildNode('OneHot', { inputs: ['y', 'classes', 'off_on'], outputs: ['one_hot'], attributes: { axis: -1 } }),
    buildNode('Mul', { inputs: ['one_hot', 'share'], outputs: ['target'] }),
    buildNode('Mul', { inputs: ['log_p', 'target'], outputs: ['hits'] }),
    buildNode('ReduceSum', { inputs: ['hits', 'both'], outputs: ['negative_loss'], attributes: { keepdims: 0 } }),
    buildNode('Neg', { inputs: ['negative_loss'], outputs: ['loss'] }),
    buildNode('Exp', { inputs: ['log_p'], outputs: ['p'] }),
    buildNode('Mul', { inputs: ['p', 'share'], outputs: ['expected'] }),
    buildNode('Sub', { inputs: ['expected', 'target'], outputs: ['error'] }),
    buildNode('Gemm', { inputs: ['error', 'x'], outputs: ['by_weights'], attributes: { transA: 1 } }),
    buildNode('ReduceSum', { inputs: ['error', 'rows'], outputs: ['by_bias'], attributes: { keepdims: 0 } }),
  ];
  const { float32, int64 } = ELEMENT;
  return encodeModel({
    irVersion: 7,
    producerName: 'graft',
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'softmax_loss',
      node,
      initializer: [floatTensor('off_on', [2], [0, 1]), int64Tensor('both', [0, 1]), int64Tensor('rows', [0])],
      input: [
        valueInfo('x', float32, ['N', 'D']),
        valueInfo('y', int64, ['N']),
        valueInfo('share', float32, ['N', 1]),
        valueInfo('weights', float32, ['K', 'D']),
        valueInfo('bias', float32, ['K']),
      ],
      output: [
        valueInfo('logits', float32, ['N', 'K']),
        valueInfo('loss', float32, []),
        valueInfo('by_weights', float32, ['K', 'D']),
        valueInfo('by_bias', float32, ['K']),
      ],
    },
  });
}
