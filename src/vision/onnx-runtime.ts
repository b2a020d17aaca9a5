import './no-telemetry.js'; // first: what is imported next reads it
export { InferenceSession, Tensor } from 'onnxruntime-node';
