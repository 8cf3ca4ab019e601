export { Failure } from './base/failure.js';
export type { Logger } from './base/logger.js';
export type { Options } from './config/options.js';
export { Server, type ServerSettings } from './server/server.js';
