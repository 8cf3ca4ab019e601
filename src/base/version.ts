/** The nats-server release whose client protocol this server speaks: clients read it as a NATS version. */
export const VERSION = '2.12.0';

/** What of the JetStream API that release speaks. */
export const API_LEVEL = 2;

/** Weir's own version. */
export const WEIR_VERSION = '0.1.0';
