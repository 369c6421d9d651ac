import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.apps.StatefulSet;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.strimzi.api.kafka.model.kafka.Kafka;
import io.strimzi.api.kafka.model.nodepool.KafkaNodePool;
import io.strimzi.api.kafka.model.topic.KafkaTopic;
import io.strimzi.api.kafka.model.user.KafkaUser;
import java.io.File;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * Reads YAML documents into the classes of Kubernetes' and Strimzi's APIs, writes them back, and compares: a field that
 * an API does not know, or a value of another type, is printed. Exit code 1 when there is one.
 */
class Check {
    static final Map<String, Class<?>> KINDS = Map.of(
        "Kafka", Kafka.class,
        "KafkaNodePool", KafkaNodePool.class,
        "KafkaTopic", KafkaTopic.class,
        "KafkaUser", KafkaUser.class,
        "StatefulSet", StatefulSet.class,
        "Service", Service.class,
        "ServiceAccount", ServiceAccount.class,
        "NetworkPolicy", NetworkPolicy.class,
        "PodDisruptionBudget", PodDisruptionBudget.class);
    static final ObjectMapper MAPPER = new ObjectMapper(new YAMLFactory());
    static int wrong = 0;

    public static void main(String[] files) throws Exception {
        int documents = 0;
        for (String file : files) {
            Iterator<JsonNode> all = MAPPER.readerFor(JsonNode.class).readValues(new File(file));
            for (; all.hasNext(); documents++) {
                JsonNode document = all.next();
                String kind = document.path("kind").asText(), at = kind + "/" + document.at("/metadata/name").asText();
                Class<?> type = KINDS.get(kind);
                if (type == null) {
                    say(file, at, "no class for this kind");
                    continue;
                }
                try {
                    Object read = MAPPER.treeToValue(document, type);
                    unknown(file, at, read);
                } catch (com.fasterxml.jackson.core.JacksonException error) {
                    say(file, at, error.getOriginalMessage());
                }
            }
        }
        System.out.println(documents + " documents, " + wrong + " wrong");
        System.exit(wrong == 0 ? 0 : 1);
    }

    /** Both APIs keep what they do not know in a map `additionalProperties` of each object. */
    static void unknown(String file, String at, Object value) throws Exception {
        if (value instanceof List<?> list) {
            for (int i = 0; i < list.size(); i++) unknown(file, at + "[" + i + "]", list.get(i));
            return;
        }
        if (value instanceof Map<?, ?> map) {
            for (Map.Entry<?, ?> each : map.entrySet()) unknown(file, at + "." + each.getKey(), each.getValue());
            return;
        }
        if (value == null || !inApi(value.getClass())) return;
        for (var method : value.getClass().getMethods()) {
            if (method.getParameterCount() != 0 || !method.getName().startsWith("get") || method.isBridge()) continue;
            if (method.getName().equals("getAdditionalProperties")) {
                for (Object name : ((Map<?, ?>) method.invoke(value)).keySet()) say(file, at, "unknown field " + name);
            } else if (inApi(method.getReturnType()) || List.class.isAssignableFrom(method.getReturnType())) {
                unknown(file, at + "." + method.getName().substring(3), method.invoke(value));
            }
        }
    }

    static boolean inApi(Class<?> type) {
        return !type.isEnum() && (type.getName().startsWith("io.strimzi.api.") || type.getName().startsWith("io.fabric8."));
    }

    static void say(String file, String at, String problem) {
        wrong++;
        System.out.println(file + ": " + at + ": " + problem);
    }
}
