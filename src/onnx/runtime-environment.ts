/**
 * What ONNX Runtime and the libraries below it read from the environment when they are loaded. Hence a module of its own,
 * imported before the runtime, by the main thread.
 */

// It sends usage events to Microsoft from 1.29 on, and keeps an identifier of the machine in the user's cache folder, unless
// this is set (onnxruntime#27379). A service that is given other people's photos sends nothing anywhere.
process.env.ORT_DISABLE_TELEMETRY = '1';
// Without this an NVIDIA GPU rounds to ten bits in convolutions (TF32), and features differ from those of a processor by
// 4e-3 instead of 1e-6 of the largest; they are cached, and models move between machines. It costs a twentieth of the speed.
process.env.NVIDIA_TF32_OVERRIDE ??= '0';

export {};
