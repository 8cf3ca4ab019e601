// What people run today beside a broker that cannot be programmed: a service that subscribes, parses, filters and publishes again,
// with the official client. Arguments: port, subject in, subject out, lowest value that goes on.
import { connect } from '@nats-io/transport-node';

const [port, from, to, lowest] = process.argv.slice(2);
const connection = await connect({ servers: `127.0.0.1:${port}` });
connection.subscribe(from, {
  callback: (_error, message) => {
    const reading = message.json<{ value: number }>();
    if (reading.value >= Number(lowest)) connection.publish(to, message.data);
  },
});
await connection.flush();
process.send!('ready');
process.on('disconnect', () => process.exit(0));
