/**
 * The Node side of the log port: pino, as JSON lines, or as one aligned line each for a person at a terminal.
 * Lines leave asynchronously through a bounded buffer, so a reader that stalls never holds up the node.
 * Guarded: no call throws; secrets are blanked; lines past the buffer are dropped and counted; words that came from elsewhere, in an
 * event or a field, neither begin a line nor command a terminal.
 */
import { styleText } from 'node:util';
import pino from 'pino';
import type { NodeConfig } from '../core/config.js';
import type { Log } from '../ports/log.js';

const BUFFER_BYTES_MAX = 1024 * 1024;
/** What ends a line, commands a terminal or turns the order of what is read. */
const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

type Fields = Record<string, unknown>;

/** Where finished lines go. */
export interface LineSink {
  write(line: string): void;
  flush(): void;
}

export interface NodeLogOptions {
  /** Stands on every line; null until `nameNode`. */
  node: string | null;
  level: NodeConfig['logLevel'];
  format: NodeConfig['logFormat'];
}

export class NodeLog implements Log {
  private readonly logger: pino.Logger;
  private readonly sink: LineSink;

  constructor(sink: LineSink, options: NodeLogOptions & { terminal: boolean }) {
    this.sink = sink;
    const pretty = options.format === 'pretty' || (options.format === 'auto' && options.terminal);
    const target = pretty ? { write: (line: string) => sink.write(prettyLine(line, options.terminal)) } : sink;
    this.logger = pino(
      {
        level: options.level,
        base: options.node === null ? {} : { node: options.node },
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        redact: { paths: ['password', 'secret', '*.password', '*.secret'], censor: '(hidden)' },
      },
      target,
    );
  }

  debug(event: string, fields?: Fields): void {
    this.logger.debug(fields ?? {}, event);
  }

  info(event: string, fields?: Fields): void {
    this.logger.info(fields ?? {}, event);
  }

  warn(event: string, fields?: Fields): void {
    this.logger.warn(fields ?? {}, event);
  }

  error(event: string, fields?: Fields): void {
    this.logger.error(fields ?? {}, event);
  }

  /** Puts the node's name on every line from now on. */
  nameNode(node: string): void {
    if (this.logger.bindings().node === undefined) this.logger.setBindings({ node });
  }

  /** Before the process exits. */
  flush(): void {
    this.sink.flush();
  }
}

/** Standard output, asynchronous and bounded. */
export class StandardOutput implements LineSink {
  dropped = 0;
  private readonly stream = pino.destination({ dest: 1, sync: false, maxLength: BUFFER_BYTES_MAX });

  constructor() {
    this.stream.on('drop', () => {
      this.dropped++;
    });
    // A reader that went away (EPIPE) is no reason to stop serving.
    this.stream.on('error', () => {
      this.dropped++;
    });
  }

  write(line: string): void {
    this.stream.write(line);
  }

  flush(): void {
    try {
      this.stream.flushSync();
    } catch {
      this.dropped++;
    }
  }
}

/** `12:00:00.123 WARN  node-1 event field=value`, from pino's JSON. */
export function prettyLine(json: string, colours: boolean): string {
  const { level, time, node, msg, ...fields } = JSON.parse(json) as Fields;
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    colours ? styleText(style, text) : text;
  const word = String(level).toUpperCase().padEnd(5);
  const tint = level === 'error' ? 'red' : level === 'warn' ? 'yellow' : level === 'debug' ? 'gray' : 'green';
  const rest = Object.entries(fields).map(([key, value]) => `${paint('gray', `${key}=`)}${visible(plain(value))}`);
  const clock = String(time).slice(11, 23);
  return `${[paint('gray', clock), paint(tint, word), ...(node === undefined ? [] : [paint('cyan', String(node))]), visible(String(msg)), ...rest].join(' ')}\n`;
}

function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

/** Control characters as their escapes. */
function visible(text: string): string {
  return text.replace(CONTROL, (character) =>
    character === '\n' ? '\\n' : `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}
