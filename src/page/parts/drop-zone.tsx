import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { type Picked, pickedFrom, pickedFromInput } from '../core/drops.js';
import { count } from '../core/format.js';
import { words as w } from '../words/words.js';

/** A place to drop files and folders onto. */
export function DropZone({
  onPicked,
  children,
  class: name = '',
  label,
}: {
  onPicked: (picked: Picked) => void;
  children: ComponentChildren;
  class?: string;
  label: string;
}) {
  const [over, setOver] = useState(0);
  const [reading, setReading] = useState<number>();
  const drop = async (event: DragEvent) => {
    event.preventDefault();
    event.stopPropagation();
    setOver(0);
    if (!event.dataTransfer) return;
    setReading(0);
    try {
      onPicked(await pickedFrom(event.dataTransfer, setReading));
    } finally {
      setReading(undefined);
    }
  };
  return (
    <section
      class={`drop ${name} ${over > 0 ? 'over' : ''}`}
      aria-label={label}
      onDragEnter={(event) => {
        event.preventDefault();
        setOver((depth) => depth + 1);
      }}
      onDragLeave={() => setOver((depth) => Math.max(0, depth - 1))}
      onDragOver={(event) => event.preventDefault()}
      onDrop={drop}
    >
      {children}
      {reading !== undefined && (
        <p class="dim" role="status">
          {w.lookingThrough(count(reading))}
        </p>
      )}
    </section>
  );
}

/** A button that lets one choose files, or a folder. */
export function ChooseButton({
  onPicked,
  folder,
  several = true,
  accept,
  class: name,
  children,
}: {
  onPicked: (picked: Picked) => void;
  folder?: boolean;
  several?: boolean;
  accept?: string;
  class?: string;
  children: ComponentChildren;
}) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" class={name} onClick={() => input.current?.click()}>
        {children}
      </button>
      <input
        ref={input}
        type="file"
        hidden
        multiple={several}
        accept={accept}
        {...(folder && { webkitdirectory: true })}
        onChange={(event) => {
          const { files } = event.currentTarget;
          if (files && files.length > 0) onPicked(pickedFromInput(files));
          event.currentTarget.value = '';
        }}
      />
    </>
  );
}
