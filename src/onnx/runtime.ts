import './runtime-environment.js'; // first: what is imported next reads it
import { InferenceSession, Tensor } from 'onnxruntime-node';

export { InferenceSession, Tensor };

/** A session of this process on its processor, made when first asked for and then kept, because sessions leak. */
export function sharedSession(model: () => Uint8Array): () => Promise<InferenceSession> {
  let loading: Promise<InferenceSession> | undefined;
  return () => {
    loading ??= InferenceSession.create(model(), { executionProviders: ['cpu'], logSeverityLevel: 3 });
    return loading;
  };
}
