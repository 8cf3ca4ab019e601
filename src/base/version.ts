/** The nats-server release whose client protocol this server speaks: clients read it as a NATS version. */
export const VERSION = '2.12.0';

/** The level of the JetStream API that is spoken: with fast batches, which came later than that release. */
export const API_LEVEL = 5;

/** Weir's own version. */
export const WEIR_VERSION = '0.1.0';
