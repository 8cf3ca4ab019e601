// {{name}}: lets through the messages whose "value" is above a limit.
import { Json, Message, refuse, Verdict } from 'weir/plugin';

let limit: f64 = 0;

/** Reads the attachment's configuration, once. `refuse` says what is wrong with it. */
export function onInit(config: Json): void {
  if (config.has('limit') && isNaN(config.number('limit'))) refuse('"limit" is not a number');
  else if (config.has('limit')) limit = config.number('limit');
}

/** Judges one message. A number that is not there is NaN, and NaN is above nothing. */
export function onMessage(message: Message): Verdict {
  return message.json.number('value') > limit ? Verdict.Pass : Verdict.Drop;
}
