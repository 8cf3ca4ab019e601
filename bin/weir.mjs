#!/usr/bin/env node
await import('./ready.mjs').then(({ load }) => load('weir.js'));
