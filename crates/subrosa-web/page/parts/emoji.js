// @ts-check
// Pictographs by their names, for `:name:` and the picker. The names are those that chat programs commonly use.

/** @type {Record<string, string>} */
const SETS = {
  faces:
    "😀 grinning|😃 smiley|😄 smile|😁 grin|😆 laughing|😅 sweat_smile|😂 joy|🤣 rofl|🙂 slightly_smiling|🙃 upside_down|😉 wink|😊 blush|😇 innocent|🥰 smiling_hearts|😍 heart_eyes|😘 kissing_heart|😋 yum|😜 winking_tongue|🤪 zany|🤗 hugging|🤭 hand_over_mouth|🤫 shushing|🤔 thinking|🤨 raised_eyebrow|😐 neutral|😶 no_mouth|😏 smirk|🙄 roll_eyes|😬 grimacing|😌 relieved|😔 pensive|😴 sleeping|😷 mask|🤒 thermometer|🤯 exploding_head|🥳 partying|😎 sunglasses|🤓 nerd|🧐 monocle|😕 confused|😟 worried|🙁 frowning|😮 open_mouth|😲 astonished|😳 flushed|🥺 pleading|😢 cry|😭 sob|😱 scream|😤 triumph|😡 rage|💀 skull|👻 ghost|🤖 robot|😺 smiley_cat|🙈 see_no_evil|🙉 hear_no_evil|🙊 speak_no_evil",
  hands:
    "👋 wave|👌 ok_hand|✌️ victory|🤞 crossed_fingers|🤟 love_you|👈 point_left|👉 point_right|👆 point_up|👇 point_down|👍 thumbs_up|👎 thumbs_down|✊ fist|👊 punch|👏 clap|🙌 raised_hands|🤝 handshake|🙏 pray|✍️ writing|💪 muscle|👀 eyes|🧠 brain|🤷 shrug|🤦 facepalm|🙋 raising_hand|💃 dancer|🚶 walking|🏃 running",
  hearts:
    "❤️ heart|🧡 orange_heart|💛 yellow_heart|💚 green_heart|💙 blue_heart|💜 purple_heart|🖤 black_heart|💔 broken_heart|💕 two_hearts|💯 hundred|💥 boom|💫 dizzy|💬 speech|💤 zzz|✨ sparkles|⭐ star|🌟 glowing_star|🔥 fire|🎉 tada|🎊 confetti",
  nature:
    "🌹 rose|🌷 tulip|🌸 blossom|🌻 sunflower|🌱 seedling|🌲 evergreen|🌳 tree|🍀 clover|🍂 leaves|🌍 earth|🌙 moon|☀️ sun|⛅ cloud_sun|🌧️ rain|❄️ snowflake|⚡ zap|🌈 rainbow|🌊 wave_water|🐶 dog|🐱 cat|🐭 mouse|🦊 fox|🐻 bear|🐼 panda|🐸 frog|🐔 chicken|🐧 penguin|🐦 bird|🦉 owl|🐝 bee|🦋 butterfly|🐌 snail|🐢 turtle|🐍 snake|🐟 fish|🐬 dolphin|🐘 elephant",
  food:
    "🍎 apple|🍐 pear|🍊 orange|🍋 lemon|🍌 banana|🍉 watermelon|🍇 grapes|🍓 strawberry|🍒 cherries|🥑 avocado|🍅 tomato|🥕 carrot|🌽 corn|🍞 bread|🧀 cheese|🍳 cooking|🍕 pizza|🍔 burger|🍟 fries|🌮 taco|🍜 noodles|🍚 rice|🍣 sushi|🍰 cake|🎂 birthday|🍫 chocolate|🍪 cookie|☕ coffee|🍵 tea|🍺 beer|🍷 wine",
  things:
    "⚽ soccer|🏀 basketball|🎾 tennis|🎸 guitar|🎵 note|🎧 headphones|🎬 clapper|🎮 game|🎲 die|🏆 trophy|🎁 gift|📚 books|📖 book|📝 memo|📎 paperclip|📌 pin|📅 calendar|📈 chart_up|📷 camera|💻 laptop|📱 phone|🔋 battery|💡 bulb|🔦 flashlight|🔧 wrench|🔨 hammer|🔑 key|🔒 lock|🔔 bell|✉️ envelope|📦 package|🚗 car|🚌 bus|🚲 bicycle|🚆 train|✈️ airplane|🚀 rocket|⛵ sailboat|🏠 house|🏥 hospital|🏫 school|⏰ alarm|⏳ hourglass|💰 money_bag|🧪 test_tube|🐛 bug",
  signs:
    "✅ check|❌ cross|❗ exclamation|❓ question|⚠️ warning|🚫 forbidden|➕ plus|➖ minus|➡️ arrow_right|⬅️ arrow_left|⬆️ arrow_up|⬇️ arrow_down|🔁 repeat|🆗 ok|🆕 new|🔴 red_circle|🟠 orange_circle|🟡 yellow_circle|🟢 green_circle|🔵 blue_circle|🟣 purple_circle|⚪ white_circle|⚫ black_circle|🏁 finish|🏳️ white_flag",
};

/** @typedef {{sign: string, name: string, set: string}} Emoji */

/** @type {Emoji[]} */
export const EMOJI = Object.entries(SETS).flatMap(([set, list]) =>
  list.split("|").map((entry) => {
    const [sign, name] = entry.split(" ");
    return { sign, name, set };
  }),
);

export const EMOJI_SETS = Object.keys(SETS);

/**
 * Those whose name has this in it; names that begin with it first.
 * @param {string} text
 * @param {number} most
 */
export function findEmoji(text, most) {
  const wanted = text.toLowerCase().replace(/[\s-]+/g, "_");
  const found = EMOJI.filter((one) => one.name.includes(wanted));
  found.sort((a, b) => Number(b.name.startsWith(wanted)) - Number(a.name.startsWith(wanted)));
  return found.slice(0, most);
}
