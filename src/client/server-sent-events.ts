/** One message of an event stream. */
export interface Message {
  id: string;
  event: string;
  data: string;
}

/** Messages of `text/event-stream`, as they come; comments are left out. Format: the HTML standard, section 9.2. */
export async function* readMessages(stream: ReadableStream<Uint8Array>): AsyncGenerator<Message> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let rest = '';
  let message: Message = { id: '', event: 'message', data: '' };
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop()!;
      for (const line of lines) {
        if (line === '') {
          if (message.data !== '') yield { ...message, data: message.data.slice(0, -1) };
          message = { id: message.id, event: 'message', data: '' };
          continue;
        }
        const [, field, text = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
        if (field === 'data') message.data += `${text}\n`;
        else if (field === 'id' || field === 'event') message[field] = text;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
