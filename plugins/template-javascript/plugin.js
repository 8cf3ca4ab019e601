// What the parts of a message and an answer are called is in Weir's plugins/wit/weir-plugin.wit.
const text = new TextDecoder();
let limit = 0;

export const configurable = {
  configure(config) {
    limit = JSON.parse(config).limit ?? 0;
  },
};

export const processor = {
  process({ payload }) {
    const { value } = JSON.parse(text.decode(payload));
    return { verdict: { tag: value > limit ? 'pass' : 'drop' }, effects: [] };
  },
};
