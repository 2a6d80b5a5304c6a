"""Django's settings for the row `channels`."""

import os

SECRET_KEY = "signs nothing here"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["channels"]
ASGI_APPLICATION = "tests.bench.peers.channels.asgi.application"
REDIS = {
    "address": f"redis://127.0.0.1:{os.environ.get('REDIS_PORT', '6379')}/0",
    "socket_timeout": 60,  # seconds: the layer waits 5 s in Redis, which is what redis-py waits by default for the answer
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [REDIS], "capacity": 10_000},  # a full channel drops messages; by default 100 fill it
    }
}
