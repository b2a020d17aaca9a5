import { buildNode, valueInfo } from './build-node.js';
import { ELEMENT, encodeModel } from './model-proto.js';
import { sharedSession, Tensor } from './runtime.js';

/** Rows of numbers, one after another. */
export interface Matrix {
  values: Float32Array;
  rows: number;
  columns: number;
}

const session = sharedSession(productModel);

/**
 * a · bᵀ by ONNX Runtime, on all cores: `[a.rows, b.rows]`. TensorFlow.js on WebAssembly took 7 s to compare 2,000 images
 * of 1,824 features with each other, this a fraction of one.
 */
export async function matrixProduct(a: Matrix, b: Matrix): Promise<Float32Array> {
  const tensor = ({ values, rows, columns }: Matrix) => new Tensor('float32', values, [rows, columns]);
  const { product } = await (await session()).run({ a: tensor(a), b: tensor(b) });
  return product!.data as Float32Array;
}

function productModel(): Uint8Array {
  const { float32 } = ELEMENT;
  return encodeModel({
    irVersion: 7,
    producerName: 'graft',
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'matrix_product',
      node: [buildNode('Gemm', { inputs: ['a', 'b'], outputs: ['product'], attributes: { transB: 1 } })],
      initializer: [],
      input: [valueInfo('a', float32, ['N', 'D']), valueInfo('b', float32, ['M', 'D'])],
      output: [valueInfo('product', float32, ['N', 'M'])],
    },
  });
}
