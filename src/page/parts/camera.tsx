import { useEffect, useRef, useState } from 'preact/hooks';
import { words as w } from '../words/words.js';

/** Why the camera does not run; undefined: it may. */
export function whyNoCamera(): string | undefined {
  if (!window.isSecureContext) return w.cameraInsecure;
  return navigator.mediaDevices ? undefined : w.cameraAbsent;
}

export interface CameraControl {
  /** A photo of this moment. */
  take(): Promise<File>;
}

const LONGEST_SIDE = 800;

/** What the camera sees. @param onReady is given the control once there is a picture */
export function Camera({
  onReady,
  onFail,
}: {
  onReady: (control: CameraControl) => void;
  onFail: (why: string) => void;
}) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    let stream: MediaStream | undefined;
    let left = false;
    const start = async () => {
      const why = whyNoCamera();
      if (why) return onFail(why);
      try {
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' }, audio: false });
      } catch (error) {
        return onFail((error as Error).name === 'NotAllowedError' ? w.cameraRefused : w.cameraAbsent);
      }
      const screen = video.current;
      if (left || !screen) {
        for (const track of stream.getTracks()) track.stop();
        return;
      }
      screen.srcObject = stream;
      await screen.play().catch(() => undefined);
      onReady({ take: () => photoOf(screen) });
    };
    void start();
    return () => {
      left = true;
      for (const track of stream?.getTracks() ?? []) track.stop();
    };
  }, []);
  return <video class="camera" ref={video} muted playsInline aria-label={w.cameraPicture} />;
}

async function photoOf(video: HTMLVideoElement): Promise<File> {
  const { videoWidth, videoHeight } = video;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(videoWidth, videoHeight));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(videoWidth * scale));
  canvas.height = Math.max(1, Math.round(videoHeight * scale));
  canvas.getContext('2d')!.drawImage(video, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.9));
  return new File([blob!], `camera-${Date.now()}.jpg`, { type: 'image/jpeg' });
}

/** Pictures a second while the button is held. */
const BURST_MS = 170;

/** A camera that takes photos for as long as its button is held. */
export function BurstCamera({ onPhoto, onClose }: { onPhoto: (file: File) => void; onClose: () => void }) {
  const [control, setControl] = useState<CameraControl>();
  const [why, setWhy] = useState<string>();
  const held = useRef(false);
  const burst = async () => {
    if (!control || held.current) return;
    held.current = true;
    while (held.current) {
      onPhoto(await control.take());
      await new Promise((resolve) => setTimeout(resolve, BURST_MS));
    }
  };
  const release = () => {
    held.current = false;
  };
  useEffect(() => release, []);
  if (why) {
    return (
      <div class="note" role="alert">
        <p>{why}</p>
        <label class="row">
          <span class="button small">{w.cameraInstead}</span>
          <input
            class="hidden"
            type="file"
            accept="image/*"
            capture="environment"
            onChange={({ currentTarget }) => {
              for (const file of currentTarget.files ?? []) onPhoto(file);
              currentTarget.value = '';
            }}
          />
        </label>
      </div>
    );
  }
  return (
    <div class="burst">
      <Camera onReady={(ready) => setControl(ready)} onFail={setWhy} />
      <div class="row">
        <button
          type="button"
          class="primary"
          disabled={!control}
          onPointerDown={burst}
          onPointerUp={release}
          onPointerLeave={release}
          onKeyDown={({ key }) => (key === ' ' || key === 'Enter') && void burst()}
          onKeyUp={release}
          onBlur={release}
        >
          {w.cameraHold}
        </button>
        <button type="button" onClick={onClose}>
          {w.cameraClose}
        </button>
      </div>
    </div>
  );
}
