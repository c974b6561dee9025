const told = (data, context) => {
  if (context.eventType === "fails") throw new Error("thrown");
  return context.eventType === "silent" ? undefined : { data: Buffer.isBuffer(data) ? `bytes ${data}` : data, context };
};

export const returns = (data, context) => told(data, context);

export const calls = (data, context, callback) => {
  try {
    callback(null, told(data, context));
  } catch (error) {
    callback(error);
  }
};
