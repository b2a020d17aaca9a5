/**
 * ONNX Runtime sends usage events to Microsoft from 1.29 on, and keeps an identifier of the machine in the user's cache
 * folder, unless this is set before its library is loaded (onnxruntime#27379). A service that is given other people's
 * photos sends nothing anywhere. Hence a module of its own, imported before the runtime.
 */
process.env.ORT_DISABLE_TELEMETRY = '1';

export {};
