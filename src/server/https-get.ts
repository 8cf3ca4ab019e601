import { request } from 'node:https';
import { Failure } from '../base/failure.js';
import type { ResolverTls } from '../config/options.js';

const ANSWER_BYTES_MAX = 1024 * 1024;

/** `GET` with certificates of one's own. Rejects when nothing whole comes within `timeoutMs`. */
export function httpsGet(
  url: string,
  { tls, timeoutMs }: { tls: ResolverTls; timeoutMs: number },
): Promise<{ status: number; text: string }> {
  const { cert, key, ca, insecure, minVersion, ciphers, curves } = tls;
  const own = {
    ...(cert !== '' && { cert, key }),
    ...(ca !== '' && { ca }),
    ...(ciphers !== '' && { ciphers }),
    ...(curves !== '' && { ecdhCurve: curves }),
  };
  const signal = AbortSignal.timeout(timeoutMs);
  return new Promise((resolve, reject) => {
    const asking = request(
      url,
      { ...own, rejectUnauthorized: !insecure, minVersion, signal, agent: false },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (part: string) => {
          text += part;
          if (text.length > ANSWER_BYTES_MAX)
            answer.destroy(new Failure('account-fetch', `<${url}> answered more than ${ANSWER_BYTES_MAX} bytes`));
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
        answer.on('error', reject);
      },
    );
    asking.on('error', reject);
    asking.end();
  });
}
